#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/function.hpp"
#include "core/base/reactor.hpp"
#include "core/script/store_gate.hpp"
#include "core/script/store_options.hpp"

namespace moonwire::script {

class NamespaceStore;

/// What one task does all or nothing: its writes so far, which become true with the commit.
///
/// Home reactor. The task holds it; it is rolled back when the task lets go of it uncommitted,
/// however it ends.
class StoreTransaction : public std::enable_shared_from_this<StoreTransaction> {
public:
    StoreTransaction(std::shared_ptr<NamespaceStore> store, std::uint64_t task, bool durable);
    ~StoreTransaction();

    /// It took too long, and was rolled back.
    bool overdue() const noexcept { return state_ == State::overdue; }
    std::size_t size() const noexcept { return operations_.size(); }

    // One within another: its writes are undone when it fails, and kept with the outer one's.
    void begin_inner() { inner_.push_back(operations_.size()); }
    bool is_inner() const noexcept { return !inner_.empty(); }
    void end_inner(bool keep);

private:
    friend class NamespaceStore;
    enum class State : std::uint8_t { waiting, open, committing, overdue, over };

    const std::shared_ptr<NamespaceStore> store_;
    const std::uint64_t task_;
    const bool durable_;
    State state_ = State::waiting;
    plugin::StoreTime now_ = 0;
    TimerId patience_{};
    std::vector<plugin::StoreOperation> operations_;
    std::vector<std::size_t> inner_;
};

/// One namespace's way to the store: what waits for what, and the transaction that is open.
///
/// Home reactor. A request's answer comes on home, in a later turn, unless this is gone by then.
class NamespaceStore : public std::enable_shared_from_this<NamespaceStore> {
public:
    using Operations = std::vector<plugin::StoreOperation>;
    using Done = Function<void(plugin::StoreReply)>;

    NamespaceStore(std::string space, const StoreOptions& options, Reactor& home);

    const StoreOptions& options() const noexcept { return options_; }
    Reactor& home() const noexcept { return home_; }
    /// The wall clock's.
    plugin::StoreTime now() const;

    /// Reads at once; writes when the transactions before it are over.
    void run(Operations operations, bool durable, Done done);

    /// More operations than this are refused in a transaction: each answer does all of them anew.
    static constexpr std::size_t kMaxOperations = 1000;
    /// A transaction holds up its namespace's writes: longer than this it may not.
    static constexpr std::chrono::seconds kPatience{30};

    /// Of a task; null: it is in none.
    StoreTransaction* transaction_of(std::uint64_t task) const;
    /// The task whose transaction is open; 0: none.
    std::uint64_t transaction_task() const noexcept { return open_ ? open_->task_ : 0; }
    /// Opens it when its turn has come; `opened` is then called, in a later turn, if it still
    /// exists. False: too many wait.
    bool begin(StoreTransaction& transaction, Task opened);
    /// Adds an operation, unless it fails; the answer is as if all of them were done now. Writes
    /// that answer nothing need not be asked: `add`.
    void run_in(StoreTransaction& transaction, plugin::StoreOperation operation, Done done);
    void add(StoreTransaction& transaction, plugin::StoreOperation operation);
    void commit(StoreTransaction& transaction, Done done);
    /// The task is in it no more; what is not committed is rolled back. At once, and not when the
    /// last answer under way lets go of it: the task may already be in its next transaction.
    void end(StoreTransaction& transaction);

    /// Hears of each schedule that is set, once it is: its key.
    std::function<void(const std::string& key)> on_scheduled;

private:
    friend class StoreTransaction;
    void ask(plugin::StoreRequest request, Done done);
    /// The keys of what these schedule.
    static std::vector<std::string> scheduled_by(const Operations& operations);
    void tell_scheduled(const std::vector<std::string>& keys) const;
    void open(StoreTransaction& transaction);
    /// It is over, one way or the other: the next may go.
    void release(StoreTransaction& transaction, StoreTransaction::State state);

    const std::string space_;
    const StoreOptions options_;
    Reactor& home_;
    const std::shared_ptr<StoreGate> gate_;
    std::unordered_map<std::uint64_t, StoreTransaction*> transactions_;  // by task
    StoreTransaction* open_ = nullptr;
};

}  // namespace moonwire::script
