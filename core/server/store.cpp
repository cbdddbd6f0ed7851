#include "core/server/store.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "core/base/log.hpp"
#include "core/base/reactor.hpp"
#include "core/plugin/stores.hpp"

namespace moonwire::server {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

/// FNV-1a: the same for ever, which std::hash does not promise.
std::uint64_t hash(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return hash;
}

}  // namespace

std::string default_store_path(const fs::path& dir) {
    // It may list several, the service's own first.
    const std::string service = variable("STATE_DIRECTORY");
    if (!service.empty())
        return (fs::path(service.substr(0, service.find(':'))) / "store.db").string();
    fs::path state = variable("XDG_STATE_HOME");
    if (state.empty()) state = fs::path(variable("HOME")) / ".local/state";
    std::error_code error;
    fs::path folder = fs::weakly_canonical(fs::absolute(dir, error), error);
    if (!folder.has_filename()) folder = folder.parent_path();
    char digits[17];
    std::snprintf(digits, sizeof digits, "%08llx",
                  static_cast<unsigned long long>(hash(folder.string()) & 0xffffffff));
    return (state / "moonwire" / (folder.filename().string() + "-" + digits + ".db")).string();
}

std::unique_ptr<plugin::Store> make_store(const Settings& settings, const fs::path& dir,
                                          const plugin::Provisions& provisions) {
    if (auto store = provisions.make_store(settings.store_kind, settings.store_file.limits))
        return store;
    plugin::StoreSettings wanted = settings.store_file;
    wanted.warn = [](std::string_view text) { log::warn(text); };
    wanted.answer_together = [](const std::function<void()>& answers) {
        const LateWakes late;
        answers();
    };
    if (settings.store_kind == "memory") return plugin::make_memory_store(wanted);
    if (wanted.path.empty()) wanted.path = default_store_path(dir);
    return plugin::make_sqlite_store(wanted);
}

}  // namespace moonwire::server
