# Finds xxHash, which Debian ships without a CMake package, and gives the imported target XXHash::xxhash.

find_path(XXHash_INCLUDE_DIR xxhash.h)
find_library(XXHash_LIBRARY NAMES xxhash)
mark_as_advanced(XXHash_INCLUDE_DIR XXHash_LIBRARY)

if(XXHash_INCLUDE_DIR)
  set(XXHash_VERSION "")
  foreach(part MAJOR MINOR RELEASE)
    file(STRINGS "${XXHash_INCLUDE_DIR}/xxhash.h" XXHash_VERSION_LINE
         REGEX "^ *# *define +XXH_VERSION_${part} +[0-9]+")
    string(REGEX MATCH "[0-9]+$" XXHash_VERSION_PART "${XXHash_VERSION_LINE}")
    list(APPEND XXHash_VERSION "${XXHash_VERSION_PART}")
  endforeach()
  list(JOIN XXHash_VERSION "." XXHash_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  XXHash
  REQUIRED_VARS XXHash_LIBRARY XXHash_INCLUDE_DIR
  VERSION_VAR XXHash_VERSION)

if(XXHash_FOUND AND NOT TARGET XXHash::xxhash)
  add_library(XXHash::xxhash UNKNOWN IMPORTED)
  set_target_properties(XXHash::xxhash PROPERTIES IMPORTED_LOCATION "${XXHash_LIBRARY}"
                                                  INTERFACE_INCLUDE_DIRECTORIES "${XXHash_INCLUDE_DIR}")
endif()
