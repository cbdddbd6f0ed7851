#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace moonwire::script {

/// What is logged while this lives: standard error goes to a file.
class LogCapture {
public:
    LogCapture() : saved_(dup(2)), file_(mkstemp(name_)) { dup2(file_, 2); }
    ~LogCapture() {
        dup2(saved_, 2);
        close(saved_);
        close(file_);
        unlink(name_);
    }
    std::string text() const {
        std::string text;
        char buffer[4096];
        off_t at = 0;
        for (ssize_t got; (got = pread(file_, buffer, sizeof buffer, at)) > 0; at += got)
            text.append(buffer, static_cast<std::size_t>(got));
        return text;
    }
    bool has(const std::string& part) const { return text().find(part) != std::string::npos; }

private:
    char name_[32] = "/tmp/moonwire-log-XXXXXX";
    int saved_, file_;
};

}  // namespace moonwire::script
