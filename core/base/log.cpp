#include "core/base/log.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>

#include "core/base/clock.hpp"
#include "core/base/json_text.hpp"

namespace moonwire::log {
namespace {

std::atomic<Level> current_level{Level::info};
std::atomic<Format> current_format{Format::text};
thread_local Listener* current_listener = nullptr;

constexpr const char* kNames[] = {"debug", "info", "warn", "error", "off"};

spdlog::logger& sink() {
    // The line is complete when it gets here; spdlog gives one locked, whole write a line.
    static const std::shared_ptr<spdlog::logger> logger = [] {
        auto made = std::make_shared<spdlog::logger>(
            "moonwire", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        made->set_formatter(std::make_unique<spdlog::pattern_formatter>(
            "%v", spdlog::pattern_time_type::utc));
        made->set_level(spdlog::level::trace);
        made->flush_on(spdlog::level::trace);
        return made;
    }();
    return *logger;
}

bool needs_quotes(std::string_view value) {
    return value.empty() || value.find_first_of(" \"=\\\n\r\t") != std::string_view::npos;
}

/// A peer's text may reach a log line: control characters must not forge another line.
void append_printable(std::string& out, std::string_view text) {
    for (char c : text) out += (static_cast<unsigned char>(c) < 0x20 && c != '\t') ? ' ' : c;
}

std::string text_line(Level level, std::string_view message, const Field* fields,
                      std::size_t count) {
    std::string line = iso_time(wall_seconds());
    line += ' ';
    line += kNames[static_cast<int>(level)];
    line += ' ';
    const auto traceback = message.find("\nstack traceback:");
    append_printable(line, message.substr(0, traceback));
    for (std::size_t i = 0; i < count; ++i) {
        line += ' ';
        line += fields[i].name;
        line += '=';
        if (fields[i].quoted && needs_quotes(fields[i].value))
            append_json_string(line, fields[i].value);
        else
            line += fields[i].value;
    }
    if (traceback != std::string_view::npos) line += message.substr(traceback);
    return line;
}

std::string json_line(Level level, std::string_view message, const Field* fields,
                      std::size_t count) {
    std::string line = "{\"time\":\"" + iso_time(wall_seconds()) + "\",\"level\":\"" +
                       kNames[static_cast<int>(level)] + "\",\"message\":";
    append_json_string(line, message);
    for (std::size_t i = 0; i < count; ++i) {
        line += ',';
        append_json_string(line, fields[i].name);
        line += ':';
        if (fields[i].quoted) append_json_string(line, fields[i].value);
        else line += fields[i].value;
    }
    line += '}';
    return line;
}

}  // namespace

void configure(Level level, Format format) {
    current_level = level;
    current_format = format;
}

Level level() { return current_level.load(std::memory_order_relaxed); }

bool enabled(Level level) {
    return current_listener || level >= current_level.load(std::memory_order_relaxed);
}

Listener::Listener() { current_listener = this; }
Listener::~Listener() { current_listener = nullptr; }

void write(Level level, std::string_view message, const Field* fields, std::size_t count) {
    if (current_listener) return current_listener->on_line(level, message, fields, count);
    if (!enabled(level)) return;
    const bool json = current_format.load(std::memory_order_relaxed) == Format::json;
    const std::string line = json ? json_line(level, message, fields, count)
                                  : text_line(level, message, fields, count);
    sink().log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace moonwire::log
