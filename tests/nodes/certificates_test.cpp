#define CAF_SUITE certificates

#include "nodes/certificates.hpp"
#include "nodes/pem.hpp"
#include "nodes/tls.hpp"
#include "nodes/tls_session.hpp"
#include "tests/nodes/shop.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/io/middleman.hpp>
#include <caf/test/dsl.hpp>

#include <array>
#include <fstream>
#include <openssl/pem.h>
#include <poll.h>
#include <sstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace continuo;
using namespace continuo::tests;
using nodes::authorities;

namespace {

using days = std::chrono::duration<int, std::ratio<86'400>>;

struct fixture {
  temporary_directory directory;

  std::filesystem::path path(const std::string& file) const { return directory.path() / file; }

  tls_files files(const std::string& name) const {
    return {path(name + ".pem"), path(name + ".key"), path("ca.pem"), path("revoked.pem")};
  }

  std::string text(const std::string& file) const {
    std::ifstream in{path(file)};
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
  }

  nodes::certificates_made make(authorities which = authorities::as_they_are,
                                std::chrono::hours from_now = std::chrono::hours{0}) const {
    auto done = nodes::make_certificates(directory.path(), {"a_node", "b-node"}, which,
                                         std::chrono::system_clock::now() + from_now);
    if (!done) {
      CAF_FAIL(done.error().message);
    }
    return std::move(*done);
  }

  static std::string done(const nodes::certificates_made& all) {
    std::string made;
    for (const auto& one : all.nodes) {
      made += one.name + " " + one.done + (one.why.empty() ? "" : ": " + one.why) + "\n";
    }
    return made;
  }

  std::string objection(const std::string& name) const {
    const auto checked = nodes::check_certificates(files(name), name);
    return checked ? "" : checked.error().message;
  }

  /// Why two sides that show these certificates do not shake hands; empty where they do. `names`: of the
  /// peer, as the side that accepts sees them.
  std::string shake_hands(const tls_files& dials, const tls_files& accepts,
                          std::vector<std::string>* names = nullptr) const {
    std::array<int, 2> ends{};
    CAF_REQUIRE_EQUAL(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    const auto one = nodes::read_certificates(dials);
    const auto other = nodes::read_certificates(accepts);
    if (!one || !other) {
      CAF_FAIL((one ? other : one).error().message);
    }
    std::string why = "they wait for each other";
    {
      const auto client = nodes::tls_session::begin(*one, ends[0], false);
      const auto server = nodes::tls_session::begin(*other, ends[1], true);
      for (int i = 0; i < 20; ++i) {
        using progress = nodes::tls_session::progress;
        if (!client->is_ready() && client->shake_hands() == progress::failed) {
          why = "the dialer: " + client->trouble();
          break;
        }
        if (!server->is_ready() && server->shake_hands() == progress::failed) {
          why = "the other: " + server->trouble();
          break;
        }
        if (client->is_ready() && server->is_ready()) {
          why.clear();
          if (names != nullptr) {
            *names = nodes::names_in(server->certificate_of_peer().get());
          }
          break;
        }
      }
    }
    ::close(ends[0]);
    ::close(ends[1]);
    return why;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(certificates_tests, fixture)

CAF_TEST(a certificate has the name of its node and nothing else) {
  const auto all = make();
  CAF_CHECK_EQUAL(done(all), "a_node made\nb-node made\n");
  CAF_CHECK(all.made_authority);
  std::vector<std::string> names;
  CAF_CHECK_EQUAL(shake_hands(files("a_node"), files("b-node"), &names), "");
  CAF_REQUIRE_EQUAL(names.size(), 1u);
  CAF_CHECK_EQUAL(names.front(), "a_node");
  CAF_CHECK_EQUAL(objection("a_node"), "");
  CAF_CHECK_EQUAL(done(make()), "a_node kept\nb-node kept\n");
  struct stat found {};
  for (const auto* key : {"ca.key", "a_node.key"}) {
    CAF_CHECK_EQUAL(::stat(path(key).c_str(), &found), 0);
    CAF_CHECK_EQUAL(found.st_mode & 0777u, 0600u);
  }
  // A node that is given another one's says so before anybody refuses it.
  const auto checked = nodes::check_certificates(files("b-node"), "a_node");
  CAF_REQUIRE(!checked);
  CAF_CHECK(checked.error().message.find("the name a_node is not in it") != std::string::npos);
}

CAF_TEST(a certificate is renewed for the same key in the last third of its time and after it) {
  const auto first = make();
  const auto key = text("a_node.key");
  const auto whole = first.nodes.front().until - std::chrono::system_clock::now();
  CAF_CHECK(whole > days{364} && whole <= days{366});
  CAF_CHECK(first.authority_until - std::chrono::system_clock::now() > days{3'600});
  CAF_CHECK_EQUAL(done(make(authorities::as_they_are, days{240})), "a_node kept\nb-node kept\n");
  const auto late = make(authorities::as_they_are, days{250});
  CAF_CHECK_EQUAL(done(late), "a_node renewed: it was in the last third of its time\n"
                              "b-node renewed: it was in the last third of its time\n");
  CAF_CHECK(late.nodes.front().until - first.nodes.front().until > days{200});
  const auto much_later = make(authorities::as_they_are, days{900});
  CAF_CHECK_EQUAL(much_later.nodes.front().why, "its time was over");
  CAF_CHECK(text("a_node.key") == key);
  // Also where the key is on another machine.
  std::filesystem::remove(path("a_node.key"));
  const auto without_key = make(authorities::as_they_are, days{1'500});
  CAF_CHECK_EQUAL(without_key.nodes.front().done, "renewed");
}

CAF_TEST(a certificate that has ended is told from others and what renews it) {
  make(authorities::as_they_are, days{-500});
  const auto why = objection("a_node");
  CAF_CHECK(why.find("certificate has expired") != std::string::npos);
  CAF_CHECK(why.ends_with("`continuo cluster init` renews it"));
  CAF_CHECK_EQUAL(done(make()), "a_node renewed: its time was over\nb-node renewed: its time was over\n");
  CAF_CHECK_EQUAL(objection("a_node"), "");
  const auto left = nodes::time_left_of(*nodes::read_certificates(files("a_node")));
  CAF_CHECK(left.certificate > days{360} && left.certificate <= days{365});
  CAF_CHECK(left.authority > days{3'100} && left.authority < days{3'200});
}

CAF_TEST(an authority takes the place of another one while every pair of nodes understands each other) {
  make();
  const fixture other; // a machine that is a step behind
  const auto copy = [&](const std::string& file) {
    std::filesystem::copy_file(path(file), other.path(file),
                               std::filesystem::copy_options::overwrite_existing);
  };
  const auto both_ways = [&] {
    return shake_hands(files("a_node"), other.files("b-node")) +
           shake_hands(other.files("b-node"), files("a_node"));
  };
  for (const auto* file : {"ca.pem", "a_node.pem", "a_node.key", "b-node.pem", "b-node.key"}) {
    copy(file);
  }
  const auto added = make(authorities::add);
  CAF_CHECK_EQUAL(done(added), "a_node kept\nb-node kept\n");
  CAF_CHECK_EQUAL(added.trusted, 2u);
  CAF_CHECK_EQUAL(both_ways(), "");
  copy("ca.pem");
  // What a node shows would be trusted no longer.
  const auto soon = nodes::make_certificates(directory.path(), {"a_node", "b-node"}, authorities::newest_only,
                                             std::chrono::system_clock::now());
  CAF_REQUIRE(!soon);
  CAF_CHECK(soon.error().message.find("a_node.pem is signed by another authority still") !=
            std::string::npos);
  std::filesystem::rename(path("b-node.pem"), path("elsewhere"));
  const auto unknown = nodes::make_certificates(directory.path(), {"b-node"}, authorities::newest_only,
                                                std::chrono::system_clock::now());
  CAF_REQUIRE(!unknown);
  CAF_CHECK(unknown.error().message.find("b-node.pem is not here") != std::string::npos);
  std::filesystem::rename(path("elsewhere"), path("b-node.pem"));
  CAF_CHECK_EQUAL(both_ways(), "");
  CAF_CHECK_EQUAL(done(make()), "a_node renewed: another authority has signed it\n"
                                "b-node renewed: another authority has signed it\n");
  CAF_CHECK_EQUAL(objection("a_node"), "");
  CAF_CHECK_EQUAL(both_ways(), "");
  copy("b-node.pem");
  CAF_CHECK_EQUAL(both_ways(), "");
  const auto last = make(authorities::newest_only);
  CAF_CHECK_EQUAL(last.trusted, 1u);
  CAF_CHECK_EQUAL(done(last), "a_node kept\nb-node kept\n");
  CAF_CHECK_EQUAL(both_ways(), "");
  copy("ca.pem");
  CAF_CHECK_EQUAL(both_ways(), "");
}

CAF_TEST(a revoked certificate is refused by both sides and so are the ones before it) {
  make(authorities::as_they_are, days{-250});
  std::filesystem::copy_file(path("a_node.pem"), path("stolen.pem"));
  std::filesystem::copy_file(path("a_node.key"), path("stolen.key"));
  auto stolen = files("stolen");
  const auto context = nodes::read_certificates(stolen);
  CAF_REQUIRE(context.has_value());
  auto* shown = SSL_CTX_get0_certificate(context->get());
  CAF_CHECK_EQUAL(nodes::objection_to(shown, *nodes::read_certificates(files("b-node"))), "");
  const auto renewed = make();
  CAF_REQUIRE_EQUAL(renewed.nodes.front().done, "renewed"); // and the stolen one would be good still
  const auto count = nodes::revoke_certificates(directory.path(), "a_node");
  if (!count) {
    CAF_FAIL(count.error().message);
  }
  CAF_CHECK_EQUAL(count->revoked, 2u);
  CAF_CHECK_EQUAL(count->left, 0u);
  CAF_CHECK(!std::filesystem::exists(path("a_node.key")));
  CAF_CHECK_EQUAL(nodes::objection_to(shown, *nodes::read_certificates(files("b-node"))),
                  "certificate revoked");
  stolen.revoked = {}; // who has stolen it does not mind
  CAF_CHECK(shake_hands(stolen, files("b-node")).find("certificate revoked") != std::string::npos);
  CAF_CHECK(shake_hands(files("b-node"), stolen).find("certificate revoked") != std::string::npos);
  CAF_CHECK_EQUAL(done(make()), "a_node made\nb-node kept\n");
  CAF_CHECK_EQUAL(shake_hands(files("a_node"), files("b-node")), "");
  // A second one stands beside the first.
  CAF_CHECK(nodes::revoke_certificates(directory.path(), "b-node").has_value());
  CAF_CHECK_EQUAL(nodes::objection_to(shown, *nodes::read_certificates(files("a_node"))),
                  "certificate revoked");
  CAF_CHECK_EQUAL(objection("a_node"), "");
  CAF_CHECK(!nodes::revoke_certificates(directory.path(), "b-node"));
}

CAF_TEST(a list of what one authority has revoked does not shut out what another one has signed) {
  make();
  CAF_REQUIRE(nodes::revoke_certificates(directory.path(), "a_node").has_value());
  make();
  make(authorities::add);
  make();
  CAF_CHECK_EQUAL(objection("a_node"), "");
  CAF_CHECK_EQUAL(shake_hands(files("a_node"), files("b-node")), "");
  // What the former authority has signed only that one could revoke; the present one is revoked all the same.
  std::filesystem::copy_file(path("b-node.pem"), path("stolen.pem"));
  std::filesystem::copy_file(path("b-node.key"), path("stolen.key"));
  auto stolen = files("stolen");
  stolen.revoked = {};
  CAF_CHECK_EQUAL(shake_hands(stolen, files("a_node")), "");
  const auto revoked = nodes::revoke_certificates(directory.path(), "b-node");
  CAF_REQUIRE(revoked.has_value());
  CAF_CHECK_EQUAL(revoked->revoked, 1u);
  CAF_CHECK_EQUAL(revoked->left, 1u);
  CAF_CHECK(shake_hands(stolen, files("a_node")).find("certificate revoked") != std::string::npos);
  CAF_CHECK(std::filesystem::exists(path("b-node.former.pem")));
  CAF_CHECK(!std::filesystem::exists(path("b-node.key"))); // the next one is another
  const auto nothing = nodes::revoke_certificates(directory.path(), "b-node");
  CAF_REQUIRE(!nothing);
  CAF_CHECK(nothing.error().message.find("`continuo cluster init --newest-authority`") != std::string::npos);
  make();
  make(authorities::newest_only);
  CAF_CHECK_EQUAL(shake_hands(files("a_node"), files("b-node")), "");
  std::ofstream{path("revoked.pem")} << "nothing of PEM";
  CAF_CHECK(objection("a_node").find("revoked.pem: this is no PEM list") != std::string::npos);
}

CAF_TEST(what is revoked between two steps of an exchange gets another key all the same) {
  make();
  make(authorities::add);
  const auto stolen = text("b-node.key");
  const auto revoked = nodes::revoke_certificates(directory.path(), "b-node");
  CAF_REQUIRE(revoked.has_value());
  CAF_CHECK_EQUAL(revoked->revoked, 0u);
  CAF_CHECK_EQUAL(revoked->left, 1u);
  CAF_CHECK(!std::filesystem::exists(path("revoked.pem")));
  CAF_CHECK(std::filesystem::exists(path("b-node.former.pem")));
  make();
  make(authorities::newest_only);
  CAF_CHECK(text("b-node.key") != stolen);
  CAF_CHECK_EQUAL(shake_hands(files("a_node"), files("b-node")), "");
}

CAF_TEST(nobody waits for a FIFO in the place of a file) {
  make();
  CAF_REQUIRE(nodes::revoke_certificates(directory.path(), "b-node").has_value());
  make();
  for (const auto* name : {"a_node.pem", "a_node.key", "ca.pem", "revoked.pem"}) {
    std::filesystem::rename(path(name), path("kept"));
    CAF_REQUIRE_EQUAL(::mkfifo(path(name).c_str(), 0600), 0);
    const auto read = nodes::read_certificates(files("a_node"));
    CAF_REQUIRE(!read);
    CAF_CHECK_EQUAL(read.error().code, errc::invalid_configuration);
    CAF_CHECK(read.error().message.find(name) != std::string::npos);
    CAF_CHECK(objection("a_node").find(name) != std::string::npos);
    std::filesystem::remove(path(name));
    std::filesystem::rename(path("kept"), path(name));
  }
  CAF_CHECK_EQUAL(objection("a_node"), "");
}

CAF_TEST(the certificate of another node is neither renewed nor revoked as its own) {
  make();
  std::filesystem::rename(path("a_node.pem"), path("kept"));
  std::filesystem::copy_file(path("b-node.pem"), path("a_node.pem"));
  const auto revoked = nodes::revoke_certificates(directory.path(), "a_node");
  CAF_REQUIRE(!revoked);
  CAF_CHECK(revoked.error().message.find("a_node.pem is no certificate of a_node, but of b-node") !=
            std::string::npos);
  CAF_CHECK(!std::filesystem::exists(path("revoked.pem")));
  const auto made = nodes::make_certificates(directory.path(), {"a_node"}, authorities::as_they_are,
                                             std::chrono::system_clock::now());
  CAF_REQUIRE(!made);
  CAF_CHECK(made.error().message.find("but of b-node") != std::string::npos);
  std::filesystem::remove(path("a_node.pem"));
  std::filesystem::rename(path("kept"), path("a_node.pem"));
  // Nor what stands among its former ones.
  std::ofstream{path("a_node.former.pem")} << text("b-node.pem") << text("ca.pem");
  const auto count = nodes::revoke_certificates(directory.path(), "a_node");
  CAF_REQUIRE(count.has_value());
  CAF_CHECK_EQUAL(count->revoked, 1u);
  make();
  CAF_CHECK_EQUAL(shake_hands(files("a_node"), files("b-node")), "");
  // A key that does not fit.
  std::filesystem::copy_file(path("b-node.key"), path("a_node.key"),
                             std::filesystem::copy_options::overwrite_existing);
  const auto unfit = nodes::make_certificates(directory.path(), {"a_node"}, authorities::as_they_are,
                                              std::chrono::system_clock::now());
  CAF_REQUIRE(!unfit);
  CAF_CHECK(unfit.error().message.find("a_node.key is not the key of") != std::string::npos);
}

CAF_TEST(a list that is due is missed) {
  make();
  CAF_REQUIRE(nodes::revoke_certificates(directory.path(), "b-node").has_value());
  const auto known = nodes::read_certificates(files("a_node"));
  CAF_REQUIRE(known.has_value());
  CAF_CHECK(nodes::knows_of_revoked(*known));
  std::filesystem::rename(path("revoked.pem"), path("kept"));
  const auto without = nodes::read_certificates(files("a_node"));
  CAF_REQUIRE(without.has_value());
  CAF_CHECK(!nodes::knows_of_revoked(*without));
  const auto missed = nodes::read_certificates(files("a_node"), true);
  CAF_REQUIRE(!missed);
  CAF_CHECK(missed.error().message.find("revoked.pem is gone") != std::string::npos);
  std::filesystem::create_symlink(path("nowhere"), path("revoked.pem"));
  CAF_CHECK(!nodes::read_certificates(files("a_node"))); // somebody meant something
}

CAF_TEST(other things in the files of certificates are passed over or counted) {
  make();
  CAF_REQUIRE(nodes::revoke_certificates(directory.path(), "b-node").has_value());
  const auto list = text("revoked.pem");
  std::ofstream{path("ca.pem"), std::ios::app} << "a list:\n" << list;
  CAF_CHECK_EQUAL(objection("a_node"), "");
  std::ofstream{path("a_node.pem"), std::ios::app} << text("a_node.key");
  CAF_CHECK_EQUAL(objection("a_node"), "");
  std::ofstream{path("a_node.pem"), std::ios::app} << "-----BEGIN CERTIFICATE-----\nMIIB\n";
  CAF_CHECK(objection("a_node").find("a_node.pem: this is no PEM certificate") != std::string::npos);
}

CAF_TEST(a key with a password is not asked for one) {
  make();
  const auto key = nodes::key_in(path("a_node.key"));
  CAF_REQUIRE(key.has_value());
  auto* file = std::fopen(path("a_node.key").c_str(), "w");
  CAF_REQUIRE(file != nullptr);
  unsigned char password[] = "secret";
  CAF_CHECK_EQUAL(PEM_write_PrivateKey(file, key->get(), EVP_aes_128_cbc(), password, 6, nullptr, nullptr),
                  1);
  std::fclose(file);
  CAF_CHECK(objection("a_node").find("a_node.key: this is no PEM key without a password") !=
            std::string::npos);
}

CAF_TEST(a key that everybody may read is no secret) {
  make();
  std::filesystem::permissions(path("a_node.key"), std::filesystem::perms{0640});
  CAF_CHECK_EQUAL(objection("a_node"), "");
  std::filesystem::permissions(path("a_node.key"), std::filesystem::perms{0644});
  CAF_CHECK(objection("a_node").find("a_node.key is for every user of this machine to read (mode 0644)") !=
            std::string::npos);
  CAF_CHECK(!nodes::read_certificates(files("a_node")));
}

CAF_TEST(what stands in ca.key and is no key has a way out) {
  make();
  std::ofstream{path("ca.key")} << "nothing of PEM";
  const auto refused = nodes::make_certificates(directory.path(), {"a_node"});
  CAF_REQUIRE(!refused);
  CAF_CHECK(refused.error().message.find("--new-authority") != std::string::npos);
  make(authorities::add);
  make();
  CAF_CHECK_EQUAL(shake_hands(files("a_node"), files("b-node")), "");
}

CAF_TEST(a list of an operator whose clock is ahead shuts out those that it names and nobody else) {
  make();
  std::filesystem::copy_file(path("a_node.pem"), path("stolen.pem"));
  std::filesystem::copy_file(path("a_node.key"), path("stolen.key"));
  CAF_REQUIRE(nodes::revoke_certificates(directory.path(), "a_node").has_value());
  make();
  const auto open = [&](const char* name, const char* mode) {
    return std::unique_ptr<std::FILE, int (*)(std::FILE*)>{std::fopen(path(name).c_str(), mode), std::fclose};
  };
  const std::unique_ptr<X509_CRL, void (*)(X509_CRL*)> list{
      PEM_read_X509_CRL(open("revoked.pem", "r").get(), nullptr, nullptr, nullptr), X509_CRL_free};
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key{
      PEM_read_PrivateKey(open("ca.key", "r").get(), nullptr, nullptr, nullptr), EVP_PKEY_free};
  const std::unique_ptr<ASN1_TIME, void (*)(ASN1_TIME*)> tomorrow{X509_gmtime_adj(nullptr, 24 * 3'600),
                                                                  ASN1_TIME_free};
  CAF_REQUIRE(list && key && tomorrow);
  CAF_REQUIRE_EQUAL(X509_CRL_set1_lastUpdate(list.get(), tomorrow.get()), 1);
  CAF_REQUIRE(X509_CRL_sign(list.get(), key.get(), EVP_sha256()) > 0);
  CAF_REQUIRE_EQUAL(PEM_write_X509_CRL(open("revoked.pem", "w").get(), list.get()), 1);
  CAF_CHECK_EQUAL(shake_hands(files("a_node"), files("b-node")), "");
  auto stolen = files("stolen");
  stolen.revoked = {};
  CAF_CHECK(shake_hands(stolen, files("b-node")).find("certificate revoked") != std::string::npos);
}

CAF_TEST(no node takes the place of the authority) {
  make();
  const auto before = text("ca.pem");
  for (const std::string name : {"ca", "revoked"}) {
    const auto done = nodes::make_certificates(directory.path(), {"a_node", name});
    CAF_REQUIRE(!done);
    CAF_CHECK(done.error().message.find("is a file of the authority") != std::string::npos);
    CAF_CHECK(!nodes::revoke_certificates(directory.path(), name));
  }
  CAF_CHECK(text("ca.pem") == before);
}

CAF_TEST(a node says at its start what ends within 30 days) {
  const auto said = [&](const std::string& name) {
    caf::actor_system_config config;
    config.load<caf::io::middleman>();
    caf::actor_system system{config};
    std::string warned;
    nodes::tls_transport::terms agreed;
    agreed.files = files(name);
    agreed.log = [&](log_level level, const std::string& what) {
      CAF_CHECK(level == log_level::warn);
      warned += what;
    };
    CAF_CHECK(nodes::tls_transport::start(system, std::move(agreed)).has_value());
    return warned;
  };
  make();
  CAF_CHECK_EQUAL(said("a_node"), "");
  std::filesystem::remove_all(directory.path());
  make(authorities::as_they_are, days{-345} + std::chrono::hours{12});
  CAF_CHECK_EQUAL(said("a_node"),
                  path("a_node.pem").string() +
                      " ends in 20 days: peers refuse this node then. `continuo cluster init` "
                      "renews it");
  std::filesystem::remove_all(directory.path());
  make(authorities::as_they_are, days{-3'640} + std::chrono::hours{12});
  make();
  CAF_CHECK_EQUAL(said("a_node"), path("ca.pem").string() +
                                      " ends in 10 days: peers refuse this node then. `continuo cluster init "
                                      "--new-authority` makes the next one");
}

CAF_TEST_FIXTURE_SCOPE_END()
