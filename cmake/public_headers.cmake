# Each public header compiles alone, with nothing but the public headers on the include path, and does not bring CAF in:
# one translation unit a header, which includes it twice.

file(GLOB headers CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/include/continuo/*.hpp")
set(CONTINUO_HEADERS_WITH_CAF continuo/caf.hpp continuo/testing_caf.hpp)

set(sources "")
foreach(header IN LISTS headers)
  set(text "#include <${header}>\n\n#include <${header}>\n")
  if(NOT header IN_LIST CONTINUO_HEADERS_WITH_CAF)
    string(APPEND text "\n#ifdef CAF_VERSION\n#error \"<${header}> brings CAF into every application\"\n#endif\n")
  endif()
  string(REPLACE "/" "_" name "${header}")
  set(source "${PROJECT_BINARY_DIR}/generated/public_headers/${name}.cpp")
  file(CONFIGURE OUTPUT "${source}" CONTENT "${text}" @ONLY)
  list(APPEND sources "${source}")
endforeach()

add_library(continuo_public_headers OBJECT ${sources})
continuo_warnings(continuo_public_headers)
target_link_libraries(continuo_public_headers PRIVATE continuo::continuo)
