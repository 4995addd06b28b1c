# Most of a build from nothing is reading the same few megabytes of headers again for each file, and compiling the same
# templates of CAF, Beast and nlohmann again. With CONTINUO_UNITY the files of a folder are compiled together: the library's
# 620 s of CPU become less than 200. Then a file may not use a name of another one's anonymous namespace, nor leave a macro
# behind; and a change of one file compiles its whole folder, so who works on the library turns it off.
#
# The preset `sanitize` compiles each file of the library alone, which finds an #include that is missing.
option(CONTINUO_UNITY "Compile the files of a folder together: quick from nothing, slow after a small change" OFF)

# continuo_quick(TARGET [HEADER...]): compiles the target's files together, folder by folder, but for those whose property
# CONTINUO_ALONE is set; without CONTINUO_UNITY it precompiles the headers, if any are named. The property CONTINUO_UNIT of
# a file says with which others it is compiled. (CMake's own unity build writes absolute paths into its units, so that the
# compiler's cache would miss them in any other clone.)
function(continuo_quick target)
  if(NOT CONTINUO_UNITY)
    if(ARGN AND CONTINUO_PCH)
      target_precompile_headers(${target} PRIVATE ${ARGN})
      continuo_cache_pch(${target})
    endif()
    return()
  endif()
  set(place "${PROJECT_BINARY_DIR}/generated/units")
  set(folders "")
  get_target_property(sources ${target} SOURCES)
  get_target_property(root ${target} SOURCE_DIR)
  foreach(source IN LISTS sources)
    cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY "${root}" NORMALIZE)
    get_source_file_property(alone "${source}" CONTINUO_ALONE)
    if(NOT alone)
      cmake_path(GET source PARENT_PATH folder)
      cmake_path(GET folder FILENAME folder)
      list(APPEND folders "${folder}")
      set_source_files_properties("${source}" PROPERTIES HEADER_FILE_ONLY ON CONTINUO_UNIT "${target}_${folder}")
      cmake_path(RELATIVE_PATH source BASE_DIRECTORY "${place}")
      string(APPEND unit_${folder} "#include \"${source}\"\n")
    endif()
  endforeach()
  list(REMOVE_DUPLICATES folders)
  foreach(folder IN LISTS folders)
    set(unit "${place}/${target}_${folder}.cpp")
    file(CONFIGURE OUTPUT "${unit}" CONTENT "${unit_${folder}}" @ONLY) # touches it only where it changes
    target_sources(${target} PRIVATE "${unit}")
  endforeach()
endfunction()
