import Glibc
import Node

exit(NodeProgram.main(CommandLine.arguments))
