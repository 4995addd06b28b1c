# Finds RocksDB's shared library and gives the imported target RocksDB::rocksdb-shared.
#
# RocksDB installs a package config as well, but Debian's asks for the development files of everything that RocksDB was
# built with (gflags, snappy, lz4, zstd, ...), which linking with the shared library does not need.

find_path(RocksDB_INCLUDE_DIR rocksdb/version.h)
find_library(RocksDB_LIBRARY NAMES rocksdb)
mark_as_advanced(RocksDB_INCLUDE_DIR RocksDB_LIBRARY)

if(RocksDB_INCLUDE_DIR)
  set(RocksDB_VERSION "")
  foreach(part MAJOR MINOR PATCH)
    file(STRINGS "${RocksDB_INCLUDE_DIR}/rocksdb/version.h" RocksDB_VERSION_LINE REGEX "^#define ROCKSDB_${part} +[0-9]+")
    string(REGEX MATCH "[0-9]+$" RocksDB_VERSION_PART "${RocksDB_VERSION_LINE}")
    list(APPEND RocksDB_VERSION "${RocksDB_VERSION_PART}")
  endforeach()
  list(JOIN RocksDB_VERSION "." RocksDB_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  RocksDB
  REQUIRED_VARS RocksDB_LIBRARY RocksDB_INCLUDE_DIR
  VERSION_VAR RocksDB_VERSION)

if(RocksDB_FOUND AND NOT TARGET RocksDB::rocksdb-shared)
  add_library(RocksDB::rocksdb-shared UNKNOWN IMPORTED)
  set_target_properties(RocksDB::rocksdb-shared PROPERTIES IMPORTED_LOCATION "${RocksDB_LIBRARY}"
                                                           INTERFACE_INCLUDE_DIRECTORIES "${RocksDB_INCLUDE_DIR}")
endif()
