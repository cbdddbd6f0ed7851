#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "core/transport/http.hpp"

namespace moonwire::server {

/// What a file's content is called, and whether it is worth compressing, by the name's end;
/// "application/octet-stream" if it is not known.
struct FileType {
    std::string_view name;
    bool is_text = false;
};
FileType file_type(std::string_view file_name);

/// Answers GET and HEAD with small files of the disk: conditional, compressed for who takes it so.
///
/// Any reactor, which reads the file when it is first asked for and when it has changed on disk
/// since. What was read is kept up to kMaxKeptBytes; then all is forgotten.
class FileAnswers {
public:
    static constexpr std::uintmax_t kMaxFileBytes = 8 << 20;  // larger ones are refused with 403
    static constexpr std::uintmax_t kMaxKeptBytes = 64 << 20;

    /// `compressed_beside`: FILE.gz and FILE.br, if they are not older, are the file compressed.
    explicit FileAnswers(bool compressed_beside) : compressed_beside_(compressed_beside) {}

    /// Nothing if there is no such file. `path` is one that anybody may read: it is not looked at
    /// where it leads to.
    std::optional<transport::HttpResponse> answer(const std::filesystem::path& path, FileType type,
                                                  const transport::HttpRequest& request);

    std::uintmax_t kept_bytes() const;

private:
    /// One file in all its codings. Immutable.
    struct File {
        std::filesystem::file_time_type changed;
        std::uintmax_t size = 0;
        bool readable = false;
        std::string tag;  // a weak ETag, as the codings share it
        std::string last_modified;
        std::string plain, gzip, brotli;  // the latter two empty: not offered
    };
    std::shared_ptr<const File> find(const std::filesystem::path& path, FileType type);
    File read(const std::filesystem::path& path, FileType type) const;

    const bool compressed_beside_;
    mutable std::mutex mutex_;
    std::map<std::filesystem::path, std::shared_ptr<const File>> files_;
    std::uintmax_t kept_bytes_ = 0;
};

}  // namespace moonwire::server
