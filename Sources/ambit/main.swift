internal import ArgumentParser

Ambit.main()
