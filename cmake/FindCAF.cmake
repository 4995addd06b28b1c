# Finds the C++ Actor Framework where it comes without a CMake package of its own (0.17, as in Debian).
#
#   find_package(CAF 0.17 REQUIRED COMPONENTS core io openssl)
#
# gives the imported targets CAF::core, CAF::io and CAF::openssl. The interfaces of CAF change with each minor version
# and this module knows the libraries of 0.17 only, so exactly the minor version asked for is accepted.

find_path(CAF_INCLUDE_DIR caf/config.hpp)
mark_as_advanced(CAF_INCLUDE_DIR)

if(CAF_INCLUDE_DIR)
  # CAF_VERSION is one number: 1706 stands for 0.17.6, 10203 for 1.2.3.
  file(STRINGS "${CAF_INCLUDE_DIR}/caf/config.hpp" CAF_VERSION_LINE REGEX "^#define CAF_VERSION +[0-9]+")
  string(REGEX MATCH "[0-9]+" CAF_VERSION_NUMBER "${CAF_VERSION_LINE}")
  if(CAF_VERSION_NUMBER)
    math(EXPR CAF_VERSION_MAJOR "${CAF_VERSION_NUMBER} / 10000")
    math(EXPR CAF_VERSION_MINOR "${CAF_VERSION_NUMBER} / 100 % 100")
    math(EXPR CAF_VERSION_PATCH "${CAF_VERSION_NUMBER} % 100")
    set(CAF_VERSION "${CAF_VERSION_MAJOR}.${CAF_VERSION_MINOR}.${CAF_VERSION_PATCH}")
  endif()
endif()

set(CAF_KNOWN_COMPONENTS core io openssl)
if(NOT CAF_FIND_COMPONENTS)
  set(CAF_FIND_COMPONENTS core)
endif()
foreach(component IN LISTS CAF_FIND_COMPONENTS)
  if(component IN_LIST CAF_KNOWN_COMPONENTS)
    find_library(CAF_${component}_LIBRARY NAMES caf_${component})
    mark_as_advanced(CAF_${component}_LIBRARY)
    if(CAF_${component}_LIBRARY)
      set(CAF_${component}_FOUND TRUE)
    endif()
  endif()
endforeach()

include(FindPackageHandleStandardArgs)
set(CAF_REASON "")
if(CAF_VERSION AND CAF_FIND_VERSION
   AND NOT "${CAF_VERSION_MAJOR}.${CAF_VERSION_MINOR}" STREQUAL "${CAF_FIND_VERSION_MAJOR}.${CAF_FIND_VERSION_MINOR}")
  set(CAF_REASON "CAF ${CAF_VERSION} in ${CAF_INCLUDE_DIR} is not ${CAF_FIND_VERSION_MAJOR}.${CAF_FIND_VERSION_MINOR}.x")
  set(CAF_VERSION_FITS FALSE)
else()
  set(CAF_VERSION_FITS TRUE)
endif()
find_package_handle_standard_args(
  CAF
  REQUIRED_VARS CAF_INCLUDE_DIR CAF_VERSION CAF_VERSION_FITS
  VERSION_VAR CAF_VERSION
  REASON_FAILURE_MESSAGE "${CAF_REASON}"
  HANDLE_COMPONENTS)

if(CAF_FOUND)
  include(CMakeFindDependencyMacro)
  find_dependency(Threads)
  if(CAF_openssl_FOUND)
    find_dependency(OpenSSL)
  endif()
  foreach(component IN LISTS CAF_FIND_COMPONENTS)
    if(CAF_${component}_FOUND AND NOT TARGET CAF::${component})
      add_library(CAF::${component} UNKNOWN IMPORTED)
      set_target_properties(CAF::${component} PROPERTIES IMPORTED_LOCATION "${CAF_${component}_LIBRARY}"
                                                         INTERFACE_INCLUDE_DIRECTORIES "${CAF_INCLUDE_DIR}")
    endif()
  endforeach()
  if(TARGET CAF::core)
    set_property(TARGET CAF::core PROPERTY INTERFACE_LINK_LIBRARIES Threads::Threads)
  endif()
  if(TARGET CAF::io)
    set_property(TARGET CAF::io PROPERTY INTERFACE_LINK_LIBRARIES CAF::core)
  endif()
  if(TARGET CAF::openssl)
    set_property(TARGET CAF::openssl PROPERTY INTERFACE_LINK_LIBRARIES CAF::io OpenSSL::SSL OpenSSL::Crypto)
  endif()
endif()
