#pragma once

#include <cstdint>

/// What a plugin is built for. All of it is compared before anything of a plugin is called: an
/// interface in C++ only holds between sources that were compiled alike.
namespace moonwire::plugin {

/// Of Moonwire, whose headers these are.
inline constexpr char kMoonwireVersion[] = "0.1.0";

/// Grows with every change of these headers that a plugin built before would not survive: of the
/// descriptor (plugin.hpp) after its first four fields, and of any interface.
inline constexpr std::uint32_t kDescriptorVersion = 3;

}  // namespace moonwire::plugin

#define MOONWIRE_PLUGIN_TEXT_(x) #x
#define MOONWIRE_PLUGIN_TEXT(x) MOONWIRE_PLUGIN_TEXT_(x)

#if defined(__clang__)
#define MOONWIRE_PLUGIN_COMPILER "clang " MOONWIRE_PLUGIN_TEXT(__clang_major__)
#elif defined(__GNUC__)
#define MOONWIRE_PLUGIN_COMPILER "gcc " MOONWIRE_PLUGIN_TEXT(__GNUC__)
#endif

#include <string>  // defines the library's macros

#if defined(_LIBCPP_VERSION)
#define MOONWIRE_PLUGIN_LIBRARY "libc++ " MOONWIRE_PLUGIN_TEXT(_LIBCPP_ABI_VERSION)
#elif _GLIBCXX_USE_CXX11_ABI
#define MOONWIRE_PLUGIN_LIBRARY "libstdc++ " MOONWIRE_PLUGIN_TEXT(_GLIBCXX_RELEASE)
#else
#define MOONWIRE_PLUGIN_LIBRARY "libstdc++ " MOONWIRE_PLUGIN_TEXT(_GLIBCXX_RELEASE) " old strings"
#endif

#if defined(_GLIBCXX_DEBUG)
#define MOONWIRE_PLUGIN_CONTAINERS ", debug containers"  // other layouts
#else
#define MOONWIRE_PLUGIN_CONTAINERS ""
#endif

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MOONWIRE_PLUGIN_SANITIZER ", AddressSanitizer"
#elif __has_feature(thread_sanitizer)
#define MOONWIRE_PLUGIN_SANITIZER ", ThreadSanitizer"
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define MOONWIRE_PLUGIN_SANITIZER ", AddressSanitizer"
#elif defined(__SANITIZE_THREAD__)
#define MOONWIRE_PLUGIN_SANITIZER ", ThreadSanitizer"
#endif
#ifndef MOONWIRE_PLUGIN_SANITIZER
#define MOONWIRE_PLUGIN_SANITIZER ""
#endif

namespace moonwire::plugin {

/// How a source that includes this is compiled: what decides over layouts and over the runtime that
/// both sides must share. Optimisation and assertions (NDEBUG, _GLIBCXX_ASSERTIONS) change neither,
/// so a plugin may choose its own.
inline constexpr char kBuildSignature[] = MOONWIRE_PLUGIN_COMPILER
    ", " MOONWIRE_PLUGIN_LIBRARY MOONWIRE_PLUGIN_CONTAINERS MOONWIRE_PLUGIN_SANITIZER;

}  // namespace moonwire::plugin
