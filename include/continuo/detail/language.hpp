#pragma once

// What every public header includes before anything else: an older C++ would answer with hundreds of errors.
// An include that cannot be found ends the compiler at once, behind the sentence.
#if __cplusplus < 202002L
#error "Continuo needs C++20 (-std=c++20)"
#include "Continuo needs C++20"
#endif
