# The few things that a person does with this repository.
.PHONY: run-server run-client test test-net vectors bench clean

# A server with its defaults: keys are made on the first run.
run-server:
	cargo run --release -- serve

# A prompt at the local server; ARGS goes to `query`, as in: make run-client ARGS=SetA-Two
run-client:
	cargo run --release -- query $(ARGS)

# All tests, and what they need.
test:
	scripts/test.sh

# The tests between two hosts of their own: as root; anywhere else it says why they are skipped.
test-net:
	scripts/test-net.sh

# Writes tests/vectors anew from the code; look at the difference before you keep it.
vectors:
	FERNWIRE_WRITE_VECTORS=1 cargo test --lib channel::vectors

# Every figure is a ratio to something that is measured in the same run.
bench:
	cargo bench

clean:
	cargo clean
