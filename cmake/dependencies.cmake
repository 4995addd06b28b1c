# Everything that Continuo is built on, as Debian packages it: the arguments of find_package(). The build finds each of
# them, and so does the installed package config, from this same list.
set(CONTINUO_DEPENDENCIES
    "Threads"
    "CAF 0.17 COMPONENTS core io"
    "OpenSSL 3.0"
    "RocksDB 7.8"
    "XXHash 0.8"
    "Boost 1.74 COMPONENTS serialization"
    "nlohmann_json 3.11"
    "tl-expected 1.0"
    "fmt 9"
    "spdlog 1.10"
    "prometheus-cpp")
