# Installs the library, its public headers and what `find_package(continuo)` needs.

include(CMakePackageConfigHelpers)
set(CONTINUO_CMAKE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/continuo")

set(targets continuo)
if(TARGET continuo_testing)
  list(APPEND targets continuo_testing)
endif()
install(TARGETS ${targets} EXPORT continuo-targets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
if(TARGET continuo_program)
  install(TARGETS continuo_program RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/continuo" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        FILES_MATCHING PATTERN "*.hpp")
install(EXPORT continuo-targets NAMESPACE continuo:: DESTINATION "${CONTINUO_CMAKE_DIR}")

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
  DESTINATION "${CONTINUO_CMAKE_DIR}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
