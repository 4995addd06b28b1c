// What nearly every suite includes, precompiled once for all of them: CAF's test headers alone cost 1.5 s a
// suite. The suite's name is for each file to say, hence the #undef; FAIL is a name that dsl.hpp uses and
// leaves to its includer.
#define FAIL CAF_FAIL
#include <caf/test/dsl.hpp>
#undef CAF_SUITE

#include <continuo/node.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <thread>
