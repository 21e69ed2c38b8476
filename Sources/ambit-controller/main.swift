import ArgumentParser
import Dispatch
import Foundation

// No asynchronous main of the language: the image has its programs in one file (deploy/image), and
// a file can have one of those at most.
Task {
    await ControllerCommand.main()
    exit(EXIT_SUCCESS)
}
dispatchMain()
