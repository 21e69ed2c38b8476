// The CNI plugin: see CNI.
