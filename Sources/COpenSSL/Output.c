// Outputs: growable runs of bytes that sessions append to.
#include "COpenSSL.h"

#include <malloc.h>
#include <stdlib.h>

enum { output_room_first = 64 * 1024 };

int ambit_output_reserve(ambit_output *output, size_t more) {
    if (more > output->room_max || output->used > output->room_max - more) return 0;
    size_t needed = output->used + more;
    if (needed <= output->room) return 1;
    size_t room = output->room < output_room_first ? output_room_first : output->room * 2;
    if (room < needed) room = needed;
    if (room > output->room_max) room = output->room_max;
    uint8_t *bytes = realloc(output->bytes, room);
    if (bytes == NULL) return 0;
    output->bytes = bytes;
    output->room = room;
    return 1;
}

void ambit_output_free(ambit_output *output) {
    free(output->bytes);
    output->bytes = NULL;
    output->used = 0;
    output->room = 0;
}

size_t ambit_heap_used(void) { return mallinfo2().uordblks; }
