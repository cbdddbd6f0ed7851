#pragma once

#include <string_view>

namespace moonwire {

/// A file that the binary carries; core/embed puts it there.
struct EmbeddedFile {
    std::string_view path, text;
};

}  // namespace moonwire
