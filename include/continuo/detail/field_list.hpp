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

// Each scan lets the list advance by one element: 4^4 of them, 256 fields beyond the first 64.
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

// The first elements have a macro each: scanning makes the preprocessor read everything again and again, and
// a compiler that has something to say of an element say it with a line for each scan.
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
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_17(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_17(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_18(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_18(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_19(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_19(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_20(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_20(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_21(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_21(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_22(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_22(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_23(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_23(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_24(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_24(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_25(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_25(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_26(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_26(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_27(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_27(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_28(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_28(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_29(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_29(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_30(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_30(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_31(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_31(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_32(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_32(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_33(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_33(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_34(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_34(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_35(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_35(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_36(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_36(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_37(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_37(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_38(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_38(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_39(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_39(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_40(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_40(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_41(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_41(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_42(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_42(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_43(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_43(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_44(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_44(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_45(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_45(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_46(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_46(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_47(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_47(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_48(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_48(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_49(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_49(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_50(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_50(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_51(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_51(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_52(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_52(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_53(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_53(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_54(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_54(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_55(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_55(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_56(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_56(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_57(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_57(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_58(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_58(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_59(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_59(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_60(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_60(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_61(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_61(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_62(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_62(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_63(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_63(macro, element, ...)                                                         \
  macro(element) __VA_OPT__(, CONTINUO_DETAIL_EACH_64(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_EACH_64(macro, element, ...)                                                         \
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
  continuo_visitor.template base<ContinuoSelf, __VA_ARGS__>(::continuo::detail::last_name(#__VA_ARGS__))
#define CONTINUO_DETAIL_VISIT_FIELD(name, since)                                                             \
  continuo_visitor.field(#name, &ContinuoSelf::name, CONTINUO_DETAIL_OFFSET(name), since)
// The compilers know where each member of any class stands, but warn that not every compiler has to: they do
// not where the expression is not evaluated.
#define CONTINUO_DETAIL_OFFSET(name) sizeof(char[__builtin_offsetof(ContinuoSelf, name) + 1]) - 1

// -- an element as a pointer to a member, to see whether there is one -----------------------
#define CONTINUO_DETAIL_MEMBER(element)                                                                      \
  CONTINUO_DETAIL_JOIN(CONTINUO_DETAIL_MEMBER_, CONTINUO_DETAIL_IN_PARENTHESES(element))(element)
#define CONTINUO_DETAIL_MEMBER_0(name) &ContinuoSelf::name
#define CONTINUO_DETAIL_MEMBER_1(element) CONTINUO_DETAIL_MEMBER_KIND element
#define CONTINUO_DETAIL_MEMBER_KIND(kind, ...) CONTINUO_DETAIL_MEMBER_##kind(__VA_ARGS__)
#define CONTINUO_DETAIL_MEMBER_continuo_since(since, name) &ContinuoSelf::name
#define CONTINUO_DETAIL_MEMBER_continuo_base(...) 0

// -- an enumerator as an element of its table ---------------------------------------
#define CONTINUO_DETAIL_ENUMERATOR(name)                                                                     \
  ::continuo::detail::enumerator {                                                                           \
    static_cast<::std::int64_t>(continuo_enum::name), #name                                                  \
  }
