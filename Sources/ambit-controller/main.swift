// The controller: see Controller.
