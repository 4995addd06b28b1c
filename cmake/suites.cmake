# One executable a folder, one test a suite.
#
# tests/<folder>/*.cpp become the executable test_<folder>, with tests/main.cpp. Each file is one suite: it has exactly one
# line `#define CAF_SUITE <name>`, and this name is a test of CTest, `<folder>.<name>`. (A failed CAF_REQUIRE ends the
# whole process, so a test for each suite keeps one failure from hiding the others.)
#
# A comment line in a suite's file says how CTest runs it, where the defaults do not fit:
#
#   // ctest: timeout=300 labels=processes,slow serial plain
#
# `plain` leaves the file out below the sanitizers: what it does is the work of other suites for longer, or of processes that
# are killed before a sanitizer could say what it saw.

# Folders of tests/ that hold something else than suites.
set(CONTINUO_NO_SUITES support programs compile_fail compile_cost fuzz install layers)
if(CONTINUO_SANITIZE)
  # The guide's and the other examples show the sanitizers nothing new, nor do bugs on purpose, which take minutes there.
  list(APPEND CONTINUO_NO_SUITES documents examples planted)
endif()
set(CONTINUO_SUITE_TIMEOUT 120)

# What all suites share.
file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/support/*.cpp")
add_library(continuo_test_support INTERFACE)
set_source_files_properties(
  support/places.cpp
  PROPERTIES
    COMPILE_DEFINITIONS
    "CONTINUO_ROOT_DIR=\"${PROJECT_SOURCE_DIR}\";CONTINUO_PROGRAMS_DIR=\"${CMAKE_CURRENT_BINARY_DIR}/programs\";\
CONTINUO_PROGRAM=\"${PROJECT_BINARY_DIR}/continuo\";\
CONTINUO_ORDER_NODE=\"${PROJECT_BINARY_DIR}/examples/order_fulfilment/order-node\";\
CONTINUO_README_ORDERS=\"${PROJECT_BINARY_DIR}/examples/readme/orders\";\
CONTINUO_SYNCHRONOUS_ORDERS=\"${PROJECT_BINARY_DIR}/examples/order_fulfilment/synchronous-orders\"")
if(sources)
  add_library(continuo_test_support_sources STATIC ${sources})
  continuo_warnings(continuo_test_support_sources)
  target_link_libraries(continuo_test_support_sources PUBLIC continuo_internals)
  target_link_libraries(continuo_test_support INTERFACE continuo_test_support_sources)
endif()
target_link_libraries(continuo_test_support INTERFACE continuo_internals)
foreach(library continuo_testing order_fulfilment bank_transfers travel_booking orders_with_items)
  if(TARGET ${library})
    target_link_libraries(continuo_test_support INTERFACE ${library})
  endif()
endforeach()
# Programs that the suites start, and kill, as processes of their own.
set(CONTINUO_PROGRAMS "")
file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/programs/*.cpp")
foreach(source IN LISTS sources)
  cmake_path(GET source STEM name)
  add_executable(program_${name} "${source}")
  set_target_properties(program_${name} PROPERTIES OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY
                                                                       "${CMAKE_CURRENT_BINARY_DIR}/programs")
  continuo_warnings(program_${name})
  target_link_libraries(program_${name} PRIVATE continuo_test_support CLI11::CLI11)
  list(APPEND CONTINUO_PROGRAMS program_${name})
endforeach()
foreach(program order-node readme_orders synchronous-orders continuo_program)
  if(TARGET ${program})
    list(APPEND CONTINUO_PROGRAMS ${program})
  endif()
endforeach()

# What nearly every suite includes, read once for all of them; and their main(), compiled once.
add_library(continuo_suite_main OBJECT main.cpp)
continuo_warnings(continuo_suite_main)
target_link_libraries(continuo_suite_main PRIVATE continuo_test_support)
if(CONTINUO_PCH)
  target_precompile_headers(continuo_suite_main PRIVATE "<tests/suite_pch.hpp>")
  continuo_cache_pch(continuo_suite_main)
endif()

# Reads the suite's name and how it wants to be run out of its file.
function(continuo_read_suite source)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${source}")
  file(STRINGS "${source}" names REGEX "^#define CAF_SUITE +[A-Za-z0-9_]+")
  list(LENGTH names count)
  if(NOT count EQUAL 1)
    message(FATAL_ERROR "${source}: a suite's file has exactly one line `#define CAF_SUITE <name>`, this one has ${count}")
  endif()
  string(REGEX REPLACE "^#define CAF_SUITE +([A-Za-z0-9_]+).*" "\\1" suite "${names}")
  set(suite ${suite} PARENT_SCOPE)

  set(timeout ${CONTINUO_SUITE_TIMEOUT})
  set(labels "")
  set(serial FALSE)
  file(STRINGS "${source}" directive REGEX "^// ctest: " LIMIT_COUNT 1)
  string(REGEX REPLACE "^// ctest: " "" directive "${directive}")
  string(REPLACE " " ";" directive "${directive}")
  foreach(word IN LISTS directive)
    if(word MATCHES "^timeout=([0-9]+)$")
      set(timeout ${CMAKE_MATCH_1})
    elseif(word MATCHES "^labels=([a-z0-9_,-]+)$")
      string(REPLACE "," ";" labels "${CMAKE_MATCH_1}")
    elseif(word STREQUAL "serial")
      set(serial TRUE)
    elseif(word STREQUAL "plain")
      list(APPEND labels plain)
    elseif(word)
      message(FATAL_ERROR "${source}: `// ctest:` knows timeout=SECONDS, labels=A,B, serial and plain, not `${word}`")
    endif()
  endforeach()
  if(CONTINUO_SANITIZE)
    math(EXPR timeout "${timeout} * 4")
  endif()
  if(CONTINUO_LONG)
    math(EXPR timeout "${timeout} * 60")
  endif()
  set(timeout ${timeout} PARENT_SCOPE)
  set(labels "${labels}" PARENT_SCOPE)
  set(serial ${serial} PARENT_SCOPE)
endfunction()

function(continuo_add_suite folder source)
  continuo_read_suite("${source}")
  set(name ${folder}.${suite})
  if(TEST ${name})
    message(FATAL_ERROR "${source}: the suite `${suite}` exists twice in tests/${folder}")
  endif()
  # A working directory for each, in the build folder: CAF reads caf-application.ini from where it runs, and what a test
  # writes stays out of everybody's way.
  set(directory "${CMAKE_CURRENT_BINARY_DIR}/work/${name}")
  file(MAKE_DIRECTORY "${directory}")
  # What CAF takes there is a regular expression, but a name where clang compiles it.
  set(chosen "^${suite}$")
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    set(chosen "${suite}")
  endif()
  add_test(NAME ${name} COMMAND test_${folder} -n -r ${timeout} -s "${chosen}" WORKING_DIRECTORY "${directory}")
  # A pattern that matches no suite runs nothing and succeeds; the summary's zero tells.
  set_tests_properties(
    ${name}
    PROPERTIES TIMEOUT ${timeout}
               FAIL_REGULAR_EXPRESSION "tests: +0[^0-9]"
               LABELS "suite;${folder};${labels}"
               RUN_SERIAL ${serial}
               ENVIRONMENT "TMPDIR=${directory};CONTINUO_LONG=$<BOOL:${CONTINUO_LONG}>")
endfunction()

function(continuo_add_suites folder)
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cpp")
  if(CONTINUO_SANITIZE)
    foreach(source IN LISTS sources)
      file(STRINGS "${source}" plain REGEX "^// ctest: .*plain" LIMIT_COUNT 1)
      if(plain)
        list(REMOVE_ITEM sources "${source}")
      endif()
    endforeach()
  endif()
  if(NOT sources)
    return()
  endif()
  add_executable(test_${folder} ${sources})
  continuo_warnings(test_${folder})
  target_link_libraries(test_${folder} PRIVATE continuo_suite_main continuo_test_support)
  if(CONTINUO_PCH)
    target_precompile_headers(test_${folder} REUSE_FROM continuo_suite_main)
    continuo_cache_pch(test_${folder})
  endif()
  if(CONTINUO_PROGRAMS)
    add_dependencies(test_${folder} ${CONTINUO_PROGRAMS})
  endif()
  foreach(source IN LISTS sources)
    continuo_add_suite(${folder} "${source}")
  endforeach()
endfunction()

file(GLOB folders CONFIGURE_DEPENDS LIST_DIRECTORIES TRUE RELATIVE "${CMAKE_CURRENT_SOURCE_DIR}"
     "${CMAKE_CURRENT_SOURCE_DIR}/*")
foreach(folder IN LISTS folders)
  if(IS_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}/${folder}" AND NOT folder IN_LIST CONTINUO_NO_SUITES)
    continuo_add_suites(${folder})
  endif()
endforeach()
