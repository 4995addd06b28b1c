# Everything that Continuo is built on, in one list. A line says: the Debian package (scripts/install-packages installs
# it, libcontinuo-dev depends on it) | the arguments of find_package(), for the build and for the installed package
# config | what stands for it in continuo.pc, flags or, where it has a .pc file of its own, the names of its modules.
set(CONTINUO_DEPENDENCY_LIST
    "libc6-dev                  | Threads                             | -pthread"
    "libcaf-dev                 | CAF 0.17 COMPONENTS core io         | -lcaf_io -lcaf_core"
    "libssl-dev                 | OpenSSL 3.0                         | libssl libcrypto"
    "librocksdb-dev             | RocksDB 7.8                         | -lrocksdb"
    "libxxhash-dev              | XXHash 0.8                          | libxxhash"
    "libboost-serialization-dev | Boost 1.74 COMPONENTS serialization | -lboost_serialization"
    "nlohmann-json3-dev         | nlohmann_json 3.11                  | nlohmann_json"
    "libexpected-dev            | tl-expected 1.0                     |"
    "libfmt-dev                 | fmt 9                               | fmt"
    "libspdlog-dev              | spdlog 1.10                         | spdlog"
    "prometheus-cpp-dev         | prometheus-cpp                      | prometheus-cpp-core")

# The columns.
set(CONTINUO_DEBIAN_PACKAGES "")
set(CONTINUO_DEPENDENCIES "")
set(CONTINUO_PKG_CONFIG_FLAGS "")
set(CONTINUO_PKG_CONFIG_MODULES "")
foreach(continuo_line IN LISTS CONTINUO_DEPENDENCY_LIST)
  string(REGEX MATCH "^([^ ]+) *\\| ([^|]*[^| ]) *\\|( -[^|]*)?([^|]*)$" continuo_line "${continuo_line}")
  list(APPEND CONTINUO_DEBIAN_PACKAGES "${CMAKE_MATCH_1}")
  list(APPEND CONTINUO_DEPENDENCIES "${CMAKE_MATCH_2}")
  string(APPEND CONTINUO_PKG_CONFIG_FLAGS "${CMAKE_MATCH_3}")
  string(APPEND CONTINUO_PKG_CONFIG_MODULES "${CMAKE_MATCH_4}")
endforeach()
unset(continuo_line)
