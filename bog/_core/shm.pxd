"""What both ends of a feed, or of a link, need of the object that they map; names are for Python."""

from bog._core.huginn cimport Huginn

cdef int map_bytes(
    int fd, size_t size, int prot, int *lost, int *guard, void **out,
) noexcept nogil
cdef void unmap_bytes(void *mapped, size_t size, int guard) noexcept nogil
cdef int map_object(int fd, int prot, int *lost, int *guard, Huginn **page) noexcept nogil
cdef void unmap_object(Huginn *page, int guard) noexcept nogil
