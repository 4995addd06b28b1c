# How everything of Continuo is compiled: the language, the warnings, ccache and the sanitizers.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
endif()

if(CONTINUO_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(CONTINUO_CCACHE_PROGRAM ccache)
  if(CONTINUO_CCACHE_PROGRAM)
    # The base directory and the prefix map below let a clone that lies elsewhere hit what this one compiled. Without the
    # sloppiness ccache gives up on every translation unit that uses a precompiled header.
    set(CMAKE_CXX_COMPILER_LAUNCHER
        "${CMAKE_COMMAND};-E;env;CCACHE_BASEDIR=${PROJECT_SOURCE_DIR};CCACHE_NOHASHDIR=1"
        "CCACHE_SLOPPINESS=pch_defines,time_macros;${CONTINUO_CCACHE_PROGRAM}")
  endif()
  mark_as_advanced(CONTINUO_CCACHE_PROGRAM)
endif()

if(PROJECT_IS_TOP_LEVEL)
  # Names in objects are relative to the source root: the same objects wherever the clone lies.
  add_compile_options("-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=")
endif()

if(CONTINUO_SANITIZE)
  # CAF dereferences a null shared_ptr (harmlessly) in each function-based spawn without arguments, hence -null.
  add_compile_options(-fsanitize=${CONTINUO_SANITIZE} -fno-sanitize=null -fno-sanitize-recover=undefined
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${CONTINUO_SANITIZE})
endif()
if(CONTINUO_FUZZ AND NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "CONTINUO_FUZZ needs clang, whose libFuzzer drives the targets; use the preset `sanitize`")
endif()

# Lets ccache take over what is compiled with a precompiled header, in this clone and in others.
function(continuo_cache_pch target)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -fpch-preprocess) # tells which precompiled header it is
  else()
    target_compile_options(${target} PRIVATE "SHELL:-Xclang -fno-pch-timestamp") # equal headers, equal bytes
  endif()
endfunction()

# Turns on the warnings for one target of ours. They are private: whoever links us compiles with their own.
function(continuo_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic)
  if(CONTINUO_WARNINGS_AS_ERRORS)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(CONTINUO_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # The sanitizers' instrumentation makes g++ see uninitialised values where there are none.
    target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized)
  endif()
endfunction()

# One thread makes a message, another one frees it: glibc's allocator takes a lock for that, jemalloc does not. The library
# leaves the choice to the application; our own programs link it. Never below a sanitizer, which brings its own.
find_library(JEMALLOC_LIBRARY jemalloc)
function(continuo_link_allocator target)
  if(JEMALLOC_LIBRARY AND NOT CONTINUO_SANITIZE)
    target_link_options(${target} PRIVATE -Wl,--no-as-needed)
    target_link_libraries(${target} PRIVATE "${JEMALLOC_LIBRARY}")
  endif()
endfunction()
