#include "core/server/audit_log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "core/base/clock.hpp"
#include "core/base/json_text.hpp"
#include "core/base/log.hpp"

namespace moonwire::server {
namespace {

std::string line_head(std::string_view kind) {
    std::string line = "{\"time\":\"" + iso_time(wall_seconds()) + "\",\"kind\":\"";
    line += kind;
    return line += '"';
}

std::string line_of(const Incident& incident) {
    std::string line = line_head(to_string(incident.kind));
    const auto add = [&](const char* name, std::string_view value) {
        if (value.empty()) return;
        line += ",\"";
        line += name;
        line += "\":";
        append_json_string(line, value);
    };
    add("address", incident.address);
    add("user", incident.user);
    add("namespace", incident.nsp);
    add("socket", incident.socket);
    add("detail", incident.detail);
    if (incident.count > 1) line += ",\"count\":" + std::to_string(incident.count);
    return line += "}\n";
}

std::string dropped_line(std::uint64_t count) {
    return line_head("dropped") + ",\"count\":" + std::to_string(count) + "}\n";
}

}  // namespace

Result<void> AuditLog::open() {
    if (!enabled()) return {};
    if (!open_file())
        return Error{"audit.file: can't open " + options_.file + ": " + std::strerror(errno)};
    thread_ = std::thread([this] { run(); });
    return {};
}

void AuditLog::reopen() {
    {
        std::lock_guard lock(mutex_);
        reopening_ = true;
    }
    changed_.notify_one();
}

void AuditLog::close() {
    if (!thread_.joinable()) return;
    {
        std::lock_guard lock(mutex_);
        closing_ = true;
    }
    changed_.notify_one();
    thread_.join();
    ::close(std::exchange(file_, -1));
}

void AuditLog::on_incident(const Incident& incident) {
    std::string line = line_of(incident);
    {
        std::lock_guard lock(mutex_);
        if (queued_bytes_ + line.size() > kQueuedBytes) {
            ++dropped_;
            return;
        }
        queued_bytes_ += line.size();
        queue_.push_back(std::move(line));
    }
    changed_.notify_one();
}

void AuditLog::run() {
    for (;;) {
        std::deque<std::string> lines;
        bool reopens = false, closes = false;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return !queue_.empty() || reopening_ || closing_; });
            lines.swap(queue_);
            queued_bytes_ = 0;
            reopens = std::exchange(reopening_, false);
            closes = closing_;
        }
        write(lines);
        if (reopens && !open_file()) fail("reopen");
        if (closes) return;
    }
}

void AuditLog::write(const std::deque<std::string>& lines) {
    if (const std::uint64_t dropped = dropped_; dropped != told_dropped_)
        if (append(dropped_line(dropped - told_dropped_))) told_dropped_ = dropped;
    // As many lines in one write as a file takes.
    std::string text;
    std::size_t gathered = 0;
    const auto flush = [&] {
        (append(text) ? written_ : dropped_) += gathered;
        text.clear();
        gathered = 0;
    };
    for (const std::string& line : lines) {
        const std::size_t bytes = file_bytes_ + text.size();
        if (bytes > 0 && bytes + line.size() > options_.max_bytes) {
            if (gathered > 0) flush();
            rotate();
        }
        text += line;
        ++gathered;
    }
    if (gathered > 0) flush();
}

bool AuditLog::append(std::string_view text) {
    if (file_ < 0 && !open_file()) {
        fail("open");
        return false;
    }
    const std::size_t before = file_bytes_;
    while (!text.empty()) {
        const ssize_t took = ::write(file_, text.data(), text.size());
        if (took < 0 && errno == EINTR) continue;
        if (took < 0) {
            fail("write to");
            // No half a line before what comes once there is room again.
            if (::ftruncate(file_, static_cast<off_t>(before)) == 0) file_bytes_ = before;
            return false;
        }
        file_bytes_ += static_cast<std::size_t>(took);
        text.remove_prefix(static_cast<std::size_t>(took));
    }
    failing_ = false;
    return true;
}

void AuditLog::rotate() {
    const auto older = [this](unsigned n) {
        return n == 0 ? options_.file : options_.file + "." + std::to_string(n);
    };
    bool moved = true;
    if (options_.keep == 0) moved = ::unlink(options_.file.c_str()) == 0 || errno == ENOENT;
    for (unsigned n = options_.keep; n > 0; --n)  // the last is overwritten
        if (::rename(older(n - 1).c_str(), older(n).c_str()) != 0 && errno != ENOENT) moved = false;
    if (!moved || !open_file()) fail("rotate");
}

void AuditLog::fail(const char* what) {
    if (std::exchange(failing_, true)) return;
    log::error(std::string("can't ") + what + " the audit log, lines are lost",
               {{"file", options_.file}, {"reason", std::strerror(errno)}});
}

bool AuditLog::open_file() {
    const int opened =
        ::open(options_.file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (opened < 0) return false;  // the old one, if any, is gone on with
    if (file_ >= 0) ::close(file_);
    file_ = opened;
    struct stat status {};
    file_bytes_ = ::fstat(file_, &status) == 0 ? static_cast<std::size_t>(status.st_size) : 0;
    return true;
}

}  // namespace moonwire::server
