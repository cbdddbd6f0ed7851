#include "plugins/metrics/bearer.hpp"

#include <strings.h>

#include <cstddef>

namespace moonwire::metrics {

bool brings_token(std::string_view authorization, std::string_view token) {
    constexpr std::string_view kScheme = "Bearer ";
    if (authorization.size() < kScheme.size() ||
        strncasecmp(authorization.data(), kScheme.data(), kScheme.size()) != 0)
        return false;
    authorization.remove_prefix(kScheme.size());
    if (authorization.size() != token.size()) return false;
    unsigned different = 0;
    for (std::size_t i = 0; i < token.size(); ++i)
        different |=
            static_cast<unsigned char>(authorization[i]) ^ static_cast<unsigned char>(token[i]);
    return different == 0;
}

}  // namespace moonwire::metrics
