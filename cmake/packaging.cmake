# Two Debian packages of what `installing` installs, for scripts/package: libcontinuo-dev and continuo. Only where Debian
# is. What a plain installation does not have, such as the unit for systemd, is installed into the packages alone.

find_program(DPKG_QUERY dpkg-query)
mark_as_advanced(DPKG_QUERY)
if(NOT PROJECT_IS_TOP_LEVEL OR NOT DPKG_QUERY OR NOT TARGET continuo_program)
  return()
endif()

# -- what libcontinuo-dev needs --------------------------------------------------------------------------------------
# A static library is bound to the headers it was compiled with, and some of these libraries change their binary interface
# with a minor version: 7.8.3-2 becomes ">= 7.8, << 7.9~".
set(depends "")
foreach(package IN LISTS CONTINUO_DEBIAN_PACKAGES)
  execute_process(COMMAND "${DPKG_QUERY}" --show "--showformat=\${Version}" ${package} OUTPUT_VARIABLE version ERROR_QUIET)
  if(NOT version MATCHES "^(([0-9]+:)?[0-9]+)\\.([0-9]+)")
    message(STATUS "No packages can be made: ${package} is not installed; scripts/install-packages installs it")
    return()
  endif()
  math(EXPR next "${CMAKE_MATCH_3} + 1")
  list(APPEND depends "${package} (>= ${CMAKE_MATCH_1}.${CMAKE_MATCH_3})" "${package} (<< ${CMAKE_MATCH_1}.${next}~)")
endforeach()
list(JOIN depends ", " depends)

# -- CPack -----------------------------------------------------------------------------------------------------------
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "") # each package has its own
set(CPACK_COMPONENTS_ALL library library_package program program_package)
set(CPACK_COMPONENT_LIBRARY_GROUP library)
set(CPACK_COMPONENT_LIBRARY_PACKAGE_GROUP library)
set(CPACK_COMPONENT_PROGRAM_GROUP program)
set(CPACK_COMPONENT_PROGRAM_PACKAGE_GROUP program)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libcontinuo-dev)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_DEPENDS "${depends}")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SUGGESTS "continuo, cmake, libcli11-dev") # the examples read their arguments with CLI11
set(CPACK_DEBIAN_LIBRARY_DESCRIPTION "durable workflow runtime for C++ on the actor model
A business process that crosses several services is written as one small
class; Continuo makes it survive crashes, restarts, lost connections and
services that are down for hours, with no broker and no database server.

This package has the headers, the static libraries with what CMake and
pkg-config need, the simulated cluster for tests, the guide and examples.")

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME continuo)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_DEPENDS "adduser, tzdata") # schedules have time zones
set(CPACK_DEBIAN_PROGRAM_PACKAGE_CONTROL_EXTRA "${PROJECT_SOURCE_DIR}/packaging/postinst;${PROJECT_SOURCE_DIR}/packaging/postrm")
set(CPACK_DEBIAN_PROGRAM_DESCRIPTION "runs and looks after nodes of Continuo
Continuo is a durable workflow runtime for C++. A node of it is a program of
the user's own, made with libcontinuo-dev.

This package has the command line that starts and stops the nodes of a
cluster, shows what waits for whom, acts on single instances, and verifies and
backs up data; a unit for systemd that runs a node; and the documents of those
who run one.")

# -- what only the packages have -------------------------------------------------------------------------------------
set(CONTINUO_LIBRARY_DOC "${CMAKE_INSTALL_DATADIR}/doc/libcontinuo-dev")
set(CONTINUO_PROGRAM_DOC "${CMAKE_INSTALL_DATADIR}/doc/continuo")
install(DIRECTORY docs examples DESTINATION "${CONTINUO_LIBRARY_DOC}" USE_SOURCE_PERMISSIONS
        COMPONENT library_package EXCLUDE_FROM_ALL)
install(DIRECTORY config DESTINATION "${CONTINUO_LIBRARY_DOC}" COMPONENT library_package EXCLUDE_FROM_ALL
        FILES_MATCHING PATTERN "*.conf" PATTERN "*.yml")
install(FILES docs/operations.md docs/http.md docs/openapi.yaml docs/metrics.md docs/cli.md
        DESTINATION "${CONTINUO_PROGRAM_DOC}" COMPONENT program_package EXCLUDE_FROM_ALL)
install(FILES README.md DESTINATION "${CONTINUO_LIBRARY_DOC}" COMPONENT library_package EXCLUDE_FROM_ALL)
install(FILES config/continuo.conf config/prometheus.yml config/alerts.yml
        DESTINATION "${CONTINUO_PROGRAM_DOC}/examples" COMPONENT program_package EXCLUDE_FROM_ALL)
install(FILES packaging/continuo@.service DESTINATION lib/systemd/system COMPONENT program_package EXCLUDE_FROM_ALL)
# Copyright and changelogs.
set(CONTINUO_PACKAGE_VERSION "${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}")
configure_file(packaging/documents.cmake.in generated/package_documents.cmake @ONLY)
foreach(part library program)
  string(TOUPPER "${part}" upper)
  install(CODE "set(package \"${CPACK_DEBIAN_${upper}_PACKAGE_NAME}\")" COMPONENT ${part}_package EXCLUDE_FROM_ALL)
  install(SCRIPT "${PROJECT_BINARY_DIR}/generated/package_documents.cmake"
          COMPONENT ${part}_package EXCLUDE_FROM_ALL)
endforeach()

include(CPack)
