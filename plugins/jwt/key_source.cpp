#include "plugins/jwt/key_source.hpp"

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace moonwire::jwt {

KeyFile::Stamp KeyFile::stamp() const {
    std::error_code error;
    const auto written = std::filesystem::last_write_time(path_, error);
    return {written, error ? 0 : std::filesystem::file_size(path_, error)};
}

bool KeyFile::changed() const { return stamp() != read_; }

std::vector<Key> KeyFile::read() {
    read_ = stamp();
    std::ifstream file(path_, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) throw std::runtime_error("\"" + path_.string() + "\" can't be read");
    std::string content = text.str();
    try {
        switch (kind_) {
            case Kind::pem: return {pem_key(id_, content, algorithm_)};
            case Kind::jwks: return jwks_keys(content, false);
            case Kind::secret: break;
        }
        // Editors end a file with a line's end, which is no part of the secret.
        while (content.ends_with('\n') || content.ends_with('\r')) content.pop_back();
        return {secret_key(id_, content, algorithm_)};
    } catch (const std::runtime_error& problem) {
        throw std::runtime_error("\"" + path_.string() + "\": " + problem.what());
    }
}

}  // namespace moonwire::jwt
