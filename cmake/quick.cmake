# Most of a build from nothing is reading the same few megabytes of headers again for each file, and compiling the same
# templates of CAF, Beast and nlohmann again. With CONTINUO_UNITY the files of a folder are compiled together: the library's
# 620 s of CPU become less than 200. Then a file may not use a name of another one's anonymous namespace, nor leave a macro
# behind; and a change of one file compiles its whole folder, so who works on the library turns it off.
#
# The preset `sanitize` compiles each file of the library alone, which finds an #include that is missing.
option(CONTINUO_UNITY "Compile the files of a folder together: quick from nothing, slow after a small change" OFF)

# continuo_quick(TARGET [HEADER...]): compiles the target's files together, folder by folder, but for those whose property
# SKIP_UNITY_BUILD_INCLUSION is set; without CONTINUO_UNITY it precompiles the headers, if any are named.
function(continuo_quick target)
  if(NOT CONTINUO_UNITY)
    if(ARGN AND CONTINUO_PCH)
      target_precompile_headers(${target} PRIVATE ${ARGN})
      continuo_cache_pch(${target})
    endif()
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  get_target_property(sources ${target} SOURCES)
  get_target_property(root ${target} SOURCE_DIR)
  foreach(source IN LISTS sources)
    cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY "${root}")
    cmake_path(GET source PARENT_PATH folder)
    cmake_path(GET folder FILENAME folder)
    get_source_file_property(alone "${source}" SKIP_UNITY_BUILD_INCLUSION)
    if(NOT alone)
      set_source_files_properties("${source}" PROPERTIES UNITY_GROUP "${target}_${folder}")
    endif()
  endforeach()
endfunction()
