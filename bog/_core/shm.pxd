"""What both ends of a feed need of the object that they map; the names are for Python."""

from bog._core.huginn cimport Huginn

cdef int map_object(int fd, int prot, int *lost, int *guard, Huginn **page) noexcept nogil
cdef void unmap_object(Huginn *page, int guard) noexcept nogil
