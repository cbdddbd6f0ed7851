#pragma once

#include <string_view>

namespace moonwire::metrics {

/// Whether an Authorization header brings this token ("Bearer …"). Takes as long for a wrong one as
/// for the right one of the same length.
bool brings_token(std::string_view authorization, std::string_view token);

}  // namespace moonwire::metrics
