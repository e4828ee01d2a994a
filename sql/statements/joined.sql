UPDATE source SET unjoined = false WHERE id = ANY (%(sources)s) AND unjoined
