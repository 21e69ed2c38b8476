// The programs of the image in one file, of which each name runs one: they share most of their
// code. SwiftPM names the main of a program after its target.
#include <string.h>

int ambit_main(int count, char **arguments);
int ambit_controller_main(int count, char **arguments);
int ambit_node_main(int count, char **arguments);

int main(int count, char **arguments) {
    const char *name = count > 0 ? arguments[0] : "";
    const char *slash = strrchr(name, '/');
    if (slash) name = slash + 1;
    if (strcmp(name, "ambit-node") == 0) return ambit_node_main(count, arguments);
    if (strcmp(name, "ambit-controller") == 0) return ambit_controller_main(count, arguments);
    return ambit_main(count, arguments);
}
