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

// Each scan lets the list advance by one element: 4^4 of them, 256 fields.
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

#define CONTINUO_DETAIL_FOR_EACH(macro, ...)                                                                 \
  __VA_OPT__(CONTINUO_DETAIL_SCAN(CONTINUO_DETAIL_NEXT(macro, __VA_ARGS__)))
#define CONTINUO_DETAIL_NEXT(macro, element, ...)                                                            \
  macro(element) __VA_OPT__(CONTINUO_DETAIL_NEXT_LATER CONTINUO_DETAIL_NO_ARGUMENTS(macro, __VA_ARGS__))
#define CONTINUO_DETAIL_NEXT_LATER() CONTINUO_DETAIL_NEXT

// -- an element as a statement of `serialize` ------------------------------------
#define CONTINUO_DETAIL_SERIALIZE(element)                                                                   \
  CONTINUO_DETAIL_JOIN(CONTINUO_DETAIL_SERIALIZE_, CONTINUO_DETAIL_IN_PARENTHESES(element))(element)
#define CONTINUO_DETAIL_SERIALIZE_0(field)                                                                   \
  continuo_archive& ::boost::serialization::make_nvp(#field, this->field);
#define CONTINUO_DETAIL_SERIALIZE_1(element) CONTINUO_DETAIL_SERIALIZE_KIND element
#define CONTINUO_DETAIL_SERIALIZE_KIND(kind, ...) CONTINUO_DETAIL_SERIALIZE_##kind(__VA_ARGS__)
#define CONTINUO_DETAIL_SERIALIZE_continuo_since(since, field)                                               \
  if (continuo_version >= (since)) {                                                                         \
    CONTINUO_DETAIL_SERIALIZE_0(field)                                                                       \
  }
#define CONTINUO_DETAIL_SERIALIZE_continuo_base(...)                                                         \
  continuo_archive& ::boost::serialization::make_nvp(                                                        \
      ::continuo::detail::last_name(#__VA_ARGS__), ::boost::serialization::base_object<__VA_ARGS__>(*this));

// -- an element as a call of a visitor --------------------------------------------
#define CONTINUO_DETAIL_VISIT(element)                                                                       \
  CONTINUO_DETAIL_JOIN(CONTINUO_DETAIL_VISIT_, CONTINUO_DETAIL_IN_PARENTHESES(element))(element)
#define CONTINUO_DETAIL_VISIT_0(name) continuo_visitor.field(#name, &continuo_self::name, 0);
#define CONTINUO_DETAIL_VISIT_1(element) CONTINUO_DETAIL_VISIT_KIND element
#define CONTINUO_DETAIL_VISIT_KIND(kind, ...) CONTINUO_DETAIL_VISIT_##kind(__VA_ARGS__)
#define CONTINUO_DETAIL_VISIT_continuo_since(since, name)                                                    \
  static_assert((since) >= 1 && (since) <= 255,                                                              \
                "continuo: CONTINUO_SINCE takes a class version from 1 to 255");                             \
  continuo_visitor.field(#name, &continuo_self::name, since);
#define CONTINUO_DETAIL_VISIT_continuo_base(...)                                                             \
  continuo_visitor.template base<__VA_ARGS__>(::continuo::detail::last_name(#__VA_ARGS__));

// -- an enumerator as an element of its table ---------------------------------------
#define CONTINUO_DETAIL_ENUMERATOR(name)                                                                     \
  ::continuo::detail::enumerator<continuo_enum>{continuo_enum::name, #name},
