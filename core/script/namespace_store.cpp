#include "core/script/namespace_store.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace moonwire::script {

using namespace plugin;

StoreTransaction::StoreTransaction(std::shared_ptr<NamespaceStore> store, std::uint64_t task,
                                   bool durable)
    : store_(std::move(store)), task_(task), durable_(durable) {
    store_->transactions_[task_] = this;
}

StoreTransaction::~StoreTransaction() { store_->end(*this); }

void StoreTransaction::end_inner(bool keep) {
    if (!keep) operations_.resize(inner_.back());
    inner_.pop_back();
}

NamespaceStore::NamespaceStore(std::string space, const StoreOptions& options, Reactor& home)
    : space_(std::move(space)),
      options_(options),
      home_(home),
      gate_(std::make_shared<StoreGate>(home, options.waiting)) {}

StoreTime NamespaceStore::now() const {
    return static_cast<StoreTime>(std::floor(home_.wall_now() * 1000));
}

void NamespaceStore::ask(StoreRequest request, Done done) {
    // Whichever thread answers, the answer is taken at home.
    options_.store->execute(std::move(request),
                            [home = &home_, weak = weak_from_this(),
                             shared = std::make_shared<Done>(std::move(done))](StoreReply reply) {
                                home->post([weak, shared, reply = std::move(reply)]() mutable {
                                    if (const auto self = weak.lock()) (*shared)(std::move(reply));
                                });
                            });
}

void NamespaceStore::run(Operations operations, bool durable, Done done) {
    StoreRequest request{space_, std::move(operations), now(), durable};
    const bool writes = std::any_of(request.operations.begin(), request.operations.end(), is_write);
    if (!writes) return ask(std::move(request), std::move(done));
    struct Write {
        StoreRequest request;
        std::vector<std::string> scheduled;
        Done done;
    };
    auto scheduled = scheduled_by(request.operations);
    const auto shared =
        std::make_shared<Write>(Write{std::move(request), std::move(scheduled), std::move(done)});
    const bool entered = gate_->enter(false, [this, weak = weak_from_this(), shared] {
        const auto self = weak.lock();
        if (!self) return;
        ask(std::move(shared->request), [this, shared](StoreReply reply) mutable {
            gate_->leave();
            if (reply.error.empty()) tell_scheduled(shared->scheduled);
            shared->done(std::move(reply));
        });
    });
    if (entered) return;
    home_.post([weak = weak_from_this(), shared] {
        if (const auto self = weak.lock()) shared->done({kStoreBusy, {}});
    });
}

std::vector<std::string> NamespaceStore::scheduled_by(const Operations& operations) {
    std::vector<std::string> keys;
    for (const StoreOperation& each : operations)
        if (const auto* set = std::get_if<StoreSet>(&each);
            set && set->table == StoreTable::schedules)
            keys.push_back(set->key);
    return keys;
}

void NamespaceStore::tell_scheduled(const std::vector<std::string>& keys) const {
    if (!on_scheduled) return;
    for (const std::string& key : keys) on_scheduled(key);
}

StoreTransaction* NamespaceStore::transaction_of(std::uint64_t task) const {
    const auto found = transactions_.find(task);
    return found == transactions_.end() ? nullptr : found->second;
}

bool NamespaceStore::begin(StoreTransaction& transaction, Task opened) {
    const auto shared = std::make_shared<Task>(std::move(opened));
    return gate_->enter(true, [gate = gate_.get(), weak = transaction.weak_from_this(), shared] {
        const auto transaction = weak.lock();
        if (!transaction) return gate->leave();  // its task has ended while it waited
        transaction->store_->open(*transaction);
        transaction->store_->home_.post([weak, shared] {
            if (weak.lock()) (*shared)();
        });
    });
}

void NamespaceStore::run_in(StoreTransaction& transaction, StoreOperation operation, Done done) {
    StoreRequest request{space_, transaction.operations_, transaction.now_};
    request.dry_run = !request.operations.empty() || is_write(operation);
    request.operations.push_back(operation);
    ask(std::move(request),
        [self = transaction.shared_from_this(), operation = std::move(operation),
         done = std::move(done)](StoreReply reply) mutable {
            if (reply.error.empty() && is_write(operation) &&
                self->state_ == StoreTransaction::State::open)
                self->operations_.push_back(std::move(operation));
            done(std::move(reply));
        });
}

void NamespaceStore::add(StoreTransaction& transaction, StoreOperation operation) {
    transaction.operations_.push_back(std::move(operation));
}

void NamespaceStore::commit(StoreTransaction& transaction, Done done) {
    transaction.state_ = StoreTransaction::State::committing;
    StoreRequest request{space_, transaction.operations_, transaction.now_, transaction.durable_};
    ask(std::move(request),
        [self = transaction.shared_from_this(), done = std::move(done)](StoreReply reply) mutable {
            NamespaceStore& store = *self->store_;
            if (reply.error.empty()) store.tell_scheduled(scheduled_by(self->operations_));
            store.end(*self);
            done(std::move(reply));
        });
}

void NamespaceStore::end(StoreTransaction& transaction) {
    if (open_ == &transaction) release(transaction, StoreTransaction::State::over);
    if (transaction_of(transaction.task_) == &transaction) transactions_.erase(transaction.task_);
}

void NamespaceStore::open(StoreTransaction& transaction) {
    transaction.state_ = StoreTransaction::State::open;
    transaction.now_ = now();
    open_ = &transaction;
    transaction.patience_ = home_.after(kPatience, [weak = transaction.weak_from_this()] {
        const auto self = weak.lock();
        if (self && self->state_ == StoreTransaction::State::open)
            self->store_->release(*self, StoreTransaction::State::overdue);
    });
}

void NamespaceStore::release(StoreTransaction& transaction, StoreTransaction::State state) {
    transaction.state_ = state;
    transaction.operations_.clear();
    transaction.inner_.clear();
    home_.cancel(transaction.patience_);
    open_ = nullptr;
    gate_->leave();
}

}  // namespace moonwire::script
