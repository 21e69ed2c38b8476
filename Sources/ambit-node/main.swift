import Agent
import Glibc
import Node

exit(NodeProgram.main(CommandLine.arguments, makeParts: AgentProgram.makeParts))
