# Installs a build to a fresh prefix, and builds and runs the project beside this file against what was installed.
#
#   cmake -D build=BUILD_DIR -D work=EMPTY_DIR -D generator=... -D compiler=... -D version=... -P check.cmake

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result OUTPUT_VARIABLE said ERROR_VARIABLE said TIMEOUT 250)
  if(NOT result EQUAL 0)
    string(JOIN " " command ${ARGV})
    message("${said}")
    message(FATAL_ERROR "failed (${result}): ${command}")
  endif()
  set(said "${said}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE "${work}")
run(${CMAKE_COMMAND} --install "${build}" --prefix "${work}/prefix")

# Nothing may lead back into the tree that it was built from.
file(GLOB_RECURSE installed "${work}/prefix/*.cmake")
cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH tests)
cmake_path(GET tests PARENT_PATH source)
foreach(file IN LISTS installed)
  file(READ "${file}" text)
  foreach(tree "${source}/" "${build}/")
    string(FIND "${text}" "${tree}" place)
    if(NOT place EQUAL -1)
      message(FATAL_ERROR "${file} names the tree that it was built in, ${tree}")
    endif()
  endforeach()
endforeach()

run(${CMAKE_COMMAND} -S "${CMAKE_CURRENT_LIST_DIR}" -B "${work}/build" -G "${generator}"
    "-DCMAKE_CXX_COMPILER=${compiler}" "-DCMAKE_PREFIX_PATH=${work}/prefix" -DCMAKE_BUILD_TYPE=Debug)
run(${CMAKE_COMMAND} --build "${work}/build")
run("${work}/build/outside")
string(FIND "${said}" "continuo ${version}, message " place)
if(NOT place EQUAL 0)
  message(FATAL_ERROR "the outside program said: ${said}")
endif()
run("${work}/build/outside_test")
string(FIND "${said}" "simulated " place)
if(NOT place EQUAL 0)
  message(FATAL_ERROR "the outside test said: ${said}")
endif()

# A version that is not there is refused.
execute_process(
  COMMAND ${CMAKE_COMMAND} -S "${CMAKE_CURRENT_LIST_DIR}" -B "${work}/other" -G "${generator}"
          "-DCMAKE_CXX_COMPILER=${compiler}" "-DCMAKE_PREFIX_PATH=${work}/prefix" -DOUTSIDE_WANTS=99.0
  RESULT_VARIABLE result
  OUTPUT_VARIABLE said
  ERROR_VARIABLE said
  TIMEOUT 100)
if(result EQUAL 0 OR NOT said MATCHES "compatible with requested version \"99.0\"")
  message("${said}")
  message(FATAL_ERROR "find_package(continuo 99.0) should have been refused with its reason")
endif()
