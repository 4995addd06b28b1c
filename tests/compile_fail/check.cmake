# Compiles one file and holds the compiler to what the file's first line says. Who makes the mistake should read the sentence
# first, and not much more: it stands in the first 30 lines, and all that the compiler says is at most 250.
#
#   cmake -D compiler=... -D source=... -D include_directories=a;b -P check.cmake
#
# A second line `// standard: c++17` chooses another standard than C++20.

file(STRINGS "${source}" expectation LIMIT_COUNT 1)
file(STRINGS "${source}" standard REGEX "^// standard: " LIMIT_COUNT 1)
string(REGEX REPLACE "^// standard: *" "" standard "${standard}")
if(NOT standard)
  set(standard c++20)
endif()
list(TRANSFORM include_directories PREPEND "-I")
# The limit keeps a file that makes the compiler recurse for ever from taking the machine with it.
execute_process(
  COMMAND "${compiler}" -std=${standard} -fsyntax-only ${include_directories} "${source}"
  RESULT_VARIABLE result
  OUTPUT_VARIABLE said
  ERROR_VARIABLE said
  TIMEOUT 100)

# Sentences are printed by a message() of their own: a FATAL_ERROR's text is broken at a margin.
if(expectation MATCHES "^// expect: *(.+)$")
  set(text "${CMAKE_MATCH_1}")
  string(FIND "${said}" "${text}" place)
  if(result EQUAL 0)
    message("${source} compiles, although it must not")
    message(FATAL_ERROR "compiled")
  elseif(place EQUAL -1)
    message("${said}")
    message("${source} fails to compile, but not with: ${text}")
    message(FATAL_ERROR "wrong reason")
  endif()
  string(SUBSTRING "${said}" 0 ${place} before)
  string(REGEX MATCHALL "\n" lines_before "${before}")
  string(REGEX MATCHALL "\n" lines "${said}")
  list(LENGTH lines_before lines_before)
  list(LENGTH lines lines)
  if(lines_before GREATER_EQUAL 30 OR lines GREATER 250)
    message("${said}")
    message("${source}: the sentence stands behind ${lines_before} lines, and there are ${lines} in all")
    message(FATAL_ERROR "too many words")
  endif()
elseif(expectation STREQUAL "// compiles")
  if(NOT result EQUAL 0)
    message("${said}")
    message("${source} does not compile, although it must")
    message(FATAL_ERROR "control failed")
  endif()
else()
  message("${source}: its first line says nothing: it is `// expect: <text>` or `// compiles`")
  message(FATAL_ERROR "no expectation")
endif()
