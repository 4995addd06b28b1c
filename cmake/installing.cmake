# Installs the library, its public headers and what `find_package(continuo)` and pkg-config need; the program, and what is
# made of its own help: a page for man(1) and completion.

include(CMakePackageConfigHelpers)
set(CONTINUO_CMAKE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/continuo")
set(CONTINUO_PKG_CONFIG_DIR "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

# -- the library -----------------------------------------------------------------------------------------------------
set(targets continuo)
set(modules continuo)
if(TARGET continuo_testing)
  list(APPEND targets continuo_testing)
  list(APPEND modules continuo-testing)
endif()
install(TARGETS ${targets} EXPORT continuo-targets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT library)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/continuo" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT library
        FILES_MATCHING PATTERN "*.hpp")
install(EXPORT continuo-targets NAMESPACE continuo:: DESTINATION "${CONTINUO_CMAKE_DIR}" COMPONENT library)

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/continuo-config.cmake.in"
                              "${PROJECT_BINARY_DIR}/generated/continuo-config.cmake"
                              INSTALL_DESTINATION "${CONTINUO_CMAKE_DIR}")
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/generated/continuo-config-version.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(
  FILES "${PROJECT_BINARY_DIR}/generated/continuo-config.cmake"
        "${PROJECT_BINARY_DIR}/generated/continuo-config-version.cmake"
        "${PROJECT_SOURCE_DIR}/cmake/dependencies.cmake"
        "${PROJECT_SOURCE_DIR}/cmake/FindCAF.cmake"
        "${PROJECT_SOURCE_DIR}/cmake/FindRocksDB.cmake"
        "${PROJECT_SOURCE_DIR}/cmake/FindXXHash.cmake"
  DESTINATION "${CONTINUO_CMAKE_DIR}"
  COMPONENT library)

# The prefix is only known when it is installed, so it is found from where the file lies.
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}/${CONTINUO_PKG_CONFIG_DIR}"
           OUTPUT_VARIABLE CONTINUO_PKG_CONFIG_TO_PREFIX)
foreach(module IN LISTS modules)
  configure_file("${PROJECT_SOURCE_DIR}/cmake/${module}.pc.in" "${PROJECT_BINARY_DIR}/generated/${module}.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/generated/${module}.pc" DESTINATION "${CONTINUO_PKG_CONFIG_DIR}"
          COMPONENT library)
endforeach()
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT licence)

# -- the program -----------------------------------------------------------------------------------------------------
if(TARGET continuo_program)
  set(made "${PROJECT_BINARY_DIR}/generated/help")
  file(MAKE_DIRECTORY "${made}")
  add_custom_command(
    OUTPUT "${made}/continuo.1.gz" "${made}/continuo" "${made}/_continuo"
    COMMAND continuo_program help-man > "${made}/continuo.1"
    COMMAND gzip --best --no-name --force "${made}/continuo.1"
    COMMAND continuo_program completion bash > "${made}/continuo"
    COMMAND continuo_program completion zsh > "${made}/_continuo"
    DEPENDS continuo_program
    COMMENT "Having the program write its manual page and completion"
    VERBATIM)
  add_custom_target(continuo_help_files ALL DEPENDS "${made}/continuo.1.gz" "${made}/continuo" "${made}/_continuo")

  install(TARGETS continuo_program RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT program)
  install(FILES "${made}/continuo.1.gz" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1" COMPONENT program)
  install(FILES "${made}/continuo" DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions" COMPONENT program)
  install(FILES "${made}/_continuo" DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions" COMPONENT program)
endif()
