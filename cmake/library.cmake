# The library, of everything that stands in its folders. Public headers are under include/; what the folders share with
# each other is found from the source root, which only our own code has on its include path.

set(sources "")
foreach(folder messages engine journal actors nodes config)
  file(GLOB_RECURSE found CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${folder}/*.cpp")
  list(APPEND sources ${found})
endforeach()

configure_file("${PROJECT_SOURCE_DIR}/cmake/version.cpp.in" "${PROJECT_BINARY_DIR}/generated/version.cpp" @ONLY)

add_library(continuo STATIC ${sources} "${PROJECT_BINARY_DIR}/generated/version.cpp")
add_library(continuo::continuo ALIAS continuo)
continuo_warnings(continuo)
# The only ones of their folders with planted bugs (planted.cmake): alone, they do not take the folder with them.
set_source_files_properties("${PROJECT_SOURCE_DIR}/journal/journal.cpp" "${PROJECT_SOURCE_DIR}/nodes/identity.cpp"
                            PROPERTIES CONTINUO_ALONE ON)
continuo_quick(continuo)
target_compile_features(continuo PUBLIC cxx_std_20)
target_include_directories(
  continuo
  PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
  PRIVATE "${PROJECT_SOURCE_DIR}")
target_link_libraries(
  continuo
  PUBLIC tl::expected Boost::serialization nlohmann_json::nlohmann_json spdlog::spdlog CAF::core Threads::Threads
  PRIVATE CAF::io OpenSSL::SSL OpenSSL::Crypto RocksDB::rocksdb-shared XXHash::xxhash fmt::fmt
          prometheus-cpp::core)

# Below the sanitizers what every message goes through is optimised, so that simulations stay quick, and what reads HTTP,
# so that its fuzz targets do; the rest, twice as long to compile that way, is not.
if(CONTINUO_SANITIZE)
  file(GLOB sources "${PROJECT_SOURCE_DIR}/messages/*.cpp" "${PROJECT_SOURCE_DIR}/engine/*.cpp"
       "${PROJECT_SOURCE_DIR}/journal/*.cpp")
  foreach(reads_http IN ITEMS endpoint request_reader server)
    list(APPEND sources "${PROJECT_SOURCE_DIR}/nodes/http/${reads_http}.cpp")
  endforeach()
  set_source_files_properties(${sources} PROPERTIES COMPILE_OPTIONS -O1)
endif()

# What reads strangers' bytes tells libFuzzer which way they took.
if(CONTINUO_FUZZ)
  file(GLOB sources "${PROJECT_SOURCE_DIR}/messages/*.cpp" "${PROJECT_SOURCE_DIR}/config/*.cpp"
       "${PROJECT_SOURCE_DIR}/nodes/http/*.cpp")
  list(APPEND sources "${PROJECT_SOURCE_DIR}/engine/link.cpp" "${PROJECT_SOURCE_DIR}/nodes/caf_filter.cpp")
  set_property(SOURCE ${sources} APPEND PROPERTY COMPILE_OPTIONS -fsanitize=fuzzer-no-link)
endif()

# For our own tests and benchmarks, which look behind the public headers: `"engine/inbox.hpp"` and the libraries that the
# library itself uses.
add_library(continuo_internals INTERFACE)
target_include_directories(continuo_internals INTERFACE "${PROJECT_SOURCE_DIR}")
target_link_libraries(continuo_internals INTERFACE continuo CAF::io OpenSSL::SSL OpenSSL::Crypto
                                                   RocksDB::rocksdb-shared XXHash::xxhash fmt::fmt)

# The simulation kit behind <continuo/testing.hpp>, a library of its own: an application links it with its tests only.
file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/testing/*.cpp")
if(sources)
  add_library(continuo_testing STATIC ${sources})
  add_library(continuo::testing ALIAS continuo_testing)
  set_target_properties(continuo_testing PROPERTIES EXPORT_NAME testing)
  continuo_warnings(continuo_testing)
  continuo_quick(continuo_testing <testing/simulation.hpp> <fmt/format.h>)
  target_include_directories(continuo_testing PRIVATE "${PROJECT_SOURCE_DIR}")
  target_link_libraries(continuo_testing PUBLIC continuo PRIVATE CAF::io OpenSSL::SSL OpenSSL::Crypto RocksDB::rocksdb-shared
                                                                 XXHash::xxhash fmt::fmt)
endif()
