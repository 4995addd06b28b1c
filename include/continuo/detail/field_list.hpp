#pragma once

/// The preprocessor's side of `CONTINUO_FIELDS`: applies a macro to each element of the list. An element is
/// a plain name, or a pair of parentheses that `CONTINUO_SINCE` or `CONTINUO_BASE` left.

#define CONTINUO_DETAIL_JOIN(left, right) CONTINUO_DETAIL_JOIN_EXPANDED(left, right)
#define CONTINUO_DETAIL_JOIN_EXPANDED(left, right) left##right

// 1 where the element stands in parentheses, else 0: only then does the probe expand, to a second argument
// of 1.
#define CONTINUO_DETAIL_IN_PARENTHESES(element)                                                              \
  CONTINUO_DETAIL_TAKE_SECOND(CONTINUO_DETAIL_PARENTHESES_PROBE element, 0, end)
#define CONTINUO_DETAIL_PARENTHESES_PROBE(...) found, 1
#define CONTINUO_DETAIL_TAKE_SECOND(...) CONTINUO_DETAIL_SECOND(__VA_ARGS__)
#define CONTINUO_DETAIL_SECOND(first, second, ...) second

// Each scan lets the list advance by one element: 4^4 of them, 256 fields beyond the first 16.
#define CONTINUO_DETAIL_SCAN(...)                                                                            \
  CONTINUO_DETAIL_SCAN_64(                                                                                   \
      CONTINUO_DETAIL_SCAN_64(CONTINUO_DETAIL_SCAN_64(CONTINUO_DETAIL_SCAN_64(__VA_ARGS__))))
#define CONTINUO_DETAIL_SCAN_64(...)                                                                         \
  CONTINUO_DETAIL_SCAN_16(                                                                                   \
      CONTINUO_DETAIL_SCAN_16(CONTINUO_DETAIL_SCAN_16(CONTINUO_DETAIL_SCAN_16(__VA_ARGS__))))
#define CONTINUO_DETAIL_SCAN_16(...)                                                                         \
  CONTINUO_DETAIL_SCAN_4(CONTINUO_DETAIL_SCAN_4(CONTINUO_DETAIL_SCAN_4(CONTINUO_DETAIL_SCAN_4(__VA_ARGS__))))
#define CONTINUO_DETAIL_SCAN_4(...)                                                                          \
  CONTINUO_DETAIL_SCAN_1(CONTINUO_DETAIL_SCAN_1(CONTINUO_DETAIL_SCAN_1(CONTINUO_DETAIL_SCAN_1(__VA_ARGS__))))
#define CONTINUO_DETAIL_SCAN_1(...) __VA_ARGS__
#define CONTINUO_DETAIL_NO_ARGUMENTS ()

// The first elements have a macro each: scanning makes the preprocessor read everything again and again.
#define CONTINUO_DETAIL_FOR_EACH(macro, ...) __VA_OPT__(CONTINUO_DETAIL_EACH_1(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_1(macro, element, ...)                                                          \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_2(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_2(macro, element, ...)                                                          \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_3(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_3(macro, element, ...)                                                          \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_4(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_4(macro, element, ...)                                                          \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_5(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_5(macro, element, ...)                                                          \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_6(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_6(macro, element, ...)                                                          \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_7(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_7(macro, element, ...)                                                          \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_8(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_8(macro, element, ...)                                                          \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_9(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_9(macro, element, ...)                                                          \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_10(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_10(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_11(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_11(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_12(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_12(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_13(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_13(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_14(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_14(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_15(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_15(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_16(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_16(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_SCAN(CONTINUO_DETAIL_NEXT(macro, __VA_ARGS__)))
#define CONTINUO_DETAIL_NEXT(macro, element, ...)                                                            \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_NEXT_LATER CONTINUO_DETAIL_NO_ARGUMENTS(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_NEXT_LATER() CONTINUO_DETAIL_NEXT

// -- an element as a call of a visitor --------------------------------------------
#define CONTINUO_DETAIL_VISIT(element)                                                                       \
  CONTINUO_DETAIL_JOIN(CONTINUO_DETAIL_VISIT_, CONTINUO_DETAIL_IN_PARENTHESES(element))(element)
#define CONTINUO_DETAIL_VISIT_0(name) CONTINUO_DETAIL_VISIT_FIELD(name, 0)
#define CONTINUO_DETAIL_VISIT_1(element) CONTINUO_DETAIL_VISIT_KIND element
#define CONTINUO_DETAIL_VISIT_KIND(kind, ...) CONTINUO_DETAIL_VISIT_##kind(__VA_ARGS__)
#define CONTINUO_DETAIL_VISIT_continuo_since(since, name)                                                    \
  CONTINUO_DETAIL_VISIT_FIELD(name, ::continuo::detail::checked_since<(since)>())
#define CONTINUO_DETAIL_VISIT_continuo_base(...)                                                             \
  continuo_visitor.template base<continuo_self, __VA_ARGS__>(::continuo::detail::last_name(#__VA_ARGS__))
#define CONTINUO_DETAIL_VISIT_FIELD(name, since)                                                             \
  continuo_visitor.field(#name, &continuo_self::name, CONTINUO_DETAIL_OFFSET(name), since)
// The compilers know where each member of any class stands, but warn that not every compiler has to: they do
// not where the expression is not evaluated.
#define CONTINUO_DETAIL_OFFSET(name) sizeof(char[__builtin_offsetof(continuo_self, name) + 1]) - 1

// -- an enumerator as an element of its table ---------------------------------------
#define CONTINUO_DETAIL_ENUMERATOR(name)                                                                     \
  ::continuo::detail::enumerator {                                                                           \
    static_cast<::std::int64_t>(continuo_enum::name), #name                                                  \
  }
