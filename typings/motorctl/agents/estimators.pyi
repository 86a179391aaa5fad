from agents.estimators import *
