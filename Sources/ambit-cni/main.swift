import CNI
import Glibc

exit(CNIProgram.main())
