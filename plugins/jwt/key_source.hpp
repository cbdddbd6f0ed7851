#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "plugins/jwt/key.hpp"

namespace moonwire::jwt {

/// A file with keys, which may be written anew while the broker runs. One thread at a time.
class KeyFile {
public:
    enum class Kind { secret, pem, jwks };
    KeyFile(Kind kind, std::filesystem::path path, std::string id, std::string algorithm)
        : kind_(kind),
          path_(std::move(path)),
          id_(std::move(id)),
          algorithm_(std::move(algorithm)) {}

    const std::filesystem::path& path() const noexcept { return path_; }
    /// Whether it looks other than when it was read.
    bool changed() const;
    /// Throws std::runtime_error, saying what is wrong with it.
    std::vector<Key> read();

private:
    /// When it was written, and its size.
    using Stamp = std::pair<std::filesystem::file_time_type, std::uintmax_t>;
    Stamp stamp() const;

    const Kind kind_;
    const std::filesystem::path path_;
    const std::string id_, algorithm_;
    Stamp read_{};
};

}  // namespace moonwire::jwt
