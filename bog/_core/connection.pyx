"""A Python handle on the resilience breaker, for tests, gateways and feeds."""

cimport cython
from libc.string cimport memset

from bog._core.connection cimport Connection, connection_on, connection_time


@cython.final
cdef class ConnectionProbe:
    """One breaker, closed at first. `now` is any clock that does not go back, in ns."""

    cdef Connection connection

    def __cinit__(self):
        memset(&self.connection, 0, sizeof(Connection))

    def on(self, long long now, unsigned long long attempt):
        """Take the outcome of an attempt, an Attempt; return the ConnectionState after it."""
        connection_time(&self.connection, now)
        connection_on(&self.connection, attempt, now)
        return self.connection.state

    def state(self, long long now):
        """Return the ConnectionState at `now`."""
        connection_time(&self.connection, now)
        return self.connection.state
