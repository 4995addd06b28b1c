# The checks are checked: test_planted has bugs, each of which the simulation must catch. The library's sources that name
# one are compiled once more, with them, and with everything that is compiled together with them; as objects they stand
# before the library, of which their originals are then not linked.

get_target_property(sources continuo SOURCES)
set(planted "")
set(units "")
foreach(source IN LISTS sources)
  file(STRINGS "${source}" found REGEX "planted\\(\"" LIMIT_COUNT 1)
  get_source_file_property(unit "${source}" DIRECTORY "${PROJECT_SOURCE_DIR}" CONTINUO_UNIT)
  if(found AND unit)
    list(APPEND units "${unit}")
  elseif(found)
    list(APPEND planted "${source}")
  endif()
endforeach()
foreach(source IN LISTS sources)
  get_source_file_property(unit "${source}" DIRECTORY "${PROJECT_SOURCE_DIR}" CONTINUO_UNIT)
  if(unit IN_LIST units)
    list(APPEND planted "${source}")
  endif()
endforeach()
add_library(continuo_planted OBJECT ${planted})
continuo_quick(continuo_planted)
continuo_warnings(continuo_planted)
target_compile_definitions(continuo_planted PRIVATE CONTINUO_PLANTED_BUGS)
target_link_libraries(continuo_planted PRIVATE continuo_internals)
target_sources(test_planted PRIVATE $<TARGET_OBJECTS:continuo_planted>)

# A file whose first bug is planted is known with the next configuration only: this test tells.
add_test(NAME planted.none_in_the_library
         COMMAND Python3::Interpreter "${CMAKE_CURRENT_SOURCE_DIR}/planted/none_in_the_library_test.py"
                 "${PROJECT_SOURCE_DIR}" "$<TARGET_FILE:continuo>" "$<TARGET_OBJECTS:continuo_planted>"
         COMMAND_EXPAND_LISTS)
set_tests_properties(planted.none_in_the_library PROPERTIES TIMEOUT 60 LABELS "build;planted")
