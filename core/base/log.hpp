#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

namespace moonwire::log {

enum class Level { debug, info, warn, error, off };
enum class Format { text, json };

/// One named value of a log line. Holds its own text; numbers and booleans stay bare in JSON.
struct Field {
    std::string name;
    std::string value;
    bool quoted = true;

    Field(std::string_view name, std::string_view value) : name(name), value(value) {}
    Field(std::string_view name, const char* value) : name(name), value(value) {}
    Field(std::string_view name, const std::string& value) : name(name), value(value) {}
    Field(std::string_view name, bool value)
        : name(name), value(value ? "true" : "false"), quoted(false) {}
    template <typename T>
        requires((std::integral<T> || std::floating_point<T>) && !std::same_as<T, bool>)
    Field(std::string_view name, T value)
        : name(name), value(std::to_string(value)), quoted(false) {}
    /// `json` is written as it stands: a table that a script logged.
    static Field raw(std::string_view name, std::string_view json) {
        Field field(name, json);
        field.quoted = false;
        return field;
    }
};

/// Once, before threads start. Lines go to standard error; each is written whole.
void configure(Level level, Format format);
/// Any thread.
Level level();
bool enabled(Level level);

/// While it lives, what its thread logs comes here instead of to standard error, whatever the level:
/// for tests that read the log. One at a time a thread; destroyed on the thread that made it.
class Listener {
public:
    Listener();
    virtual ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    /// The views are only valid during the call. Must not log.
    virtual void on_line(Level level, std::string_view message, const Field* fields,
                         std::size_t count) = 0;
};

/// `fields` come out as name=value in text and as members in JSON lines.
void write(Level level, std::string_view message, const Field* fields, std::size_t count);

inline void write(Level level, std::string_view message, std::initializer_list<Field> fields) {
    write(level, message, fields.begin(), fields.size());
}
inline void debug(std::string_view message, std::initializer_list<Field> fields = {}) {
    if (enabled(Level::debug)) write(Level::debug, message, fields);
}
inline void info(std::string_view message, std::initializer_list<Field> fields = {}) {
    if (enabled(Level::info)) write(Level::info, message, fields);
}
inline void warn(std::string_view message, std::initializer_list<Field> fields = {}) {
    if (enabled(Level::warn)) write(Level::warn, message, fields);
}
inline void error(std::string_view message, std::initializer_list<Field> fields = {}) {
    if (enabled(Level::error)) write(Level::error, message, fields);
}

}  // namespace moonwire::log
