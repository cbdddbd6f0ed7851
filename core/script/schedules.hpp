#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "core/base/result.hpp"
#include "core/script/namespace_store.hpp"

namespace moonwire::script {

class NamespaceVm;

/// Runs what `ns.store:schedule` has set, at its time or as soon after it as there is a broker and
/// a handler for it.
///
/// Home reactor. A schedule is removed when its handler has ended, however it did: only if the
/// process dies before that it runs again. Those whose name has no handler stay. Without a handler
/// for any name the store is not asked.
class Schedules : public std::enable_shared_from_this<Schedules> {
public:
    Schedules(NamespaceVm& owner, NamespaceStore& store) : owner_(owner), store_(store) {}

    /// Handlers that run at a time; the next wait for one to end.
    static constexpr std::size_t kAtOnce = 100;

    /// A schedule's key, by which they are ordered: its time, and what makes it unique.
    static std::string make_key(plugin::StoreTime at);
    static plugin::StoreTime time_of(std::string_view key);
    /// What is kept under it.
    static std::string make_value(std::string_view name, std::string_view packed);

    /// Looks for what is due: when a generation takes over.
    void look();
    /// One was set.
    void note(std::string_view key);

private:
    enum class Fired : std::uint8_t { yes, passed_over, no_room };

    void scan(std::string after);
    void take_page(plugin::StoreReply reply);
    Fired fire(const plugin::StoreEntry& entry);
    void remove(const std::string& key);
    void finish_looking();
    void arm(plugin::StoreTime at);

    NamespaceVm& owner_;
    NamespaceStore& store_;
    std::set<std::string, std::less<>> running_;  // keys; also of those that can't be removed yet
    bool looking_ = false, look_again_ = false, full_ = false;
    bool failing_ = false;  // the store did, and that was logged
    TimerId timer_{};
    plugin::StoreTime armed_ = plugin::kNever;
};

}  // namespace moonwire::script
